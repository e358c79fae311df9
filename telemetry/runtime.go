package telemetry

import (
	"math"
	"runtime/metrics"
	"slices"
	"sync"
	"time"
)

// Runtime is how the Go runtime of a process fares. Rates, shares and quantiles are of the time between two readings, the rest
// is as of now. "block" time is in the waits of the routes and links themselves; the runtime counts that of locks only.
type Runtime struct {
	HeapBytes  uint64  `json:"heap_bytes"`     // of objects, dead ones included until they are swept
	MemBytes   uint64  `json:"mem_bytes"`      // that the runtime has of the system
	LimitBytes uint64  `json:"limit_bytes"`    // GOMEMLIMIT; 0 for none
	Goroutines uint64  `json:"goroutines"`     // that exist
	Procs      uint64  `json:"procs"`          // GOMAXPROCS
	GCCycles   uint64  `json:"gc_cycles"`      // since the start
	GCCPU      float64 `json:"gc_cpu"`         // share of the processor time that there was
	GCPauseP99 float64 `json:"gc_pause_p99_s"` // of pauses in which nothing ran
	SchedP50   float64 `json:"sched_p50_s"`    // how long goroutines that could run waited for a processor
	SchedP99   float64 `json:"sched_p99_s"`
	MutexWait  float64 `json:"mutex_wait"`  // seconds a second that goroutines waited for locks
	AllocRate  float64 `json:"alloc_bytes"` // bytes a second
	CPU        float64 `json:"cpu"`         // processors that ran Go code, of Procs, by the runtime's estimate
	Seconds    float64 `json:"interval_s"`  // since the reading before
}

// The runtime's names of what is read.
const (
	rtHeap      = "/memory/classes/heap/objects:bytes"
	rtTotal     = "/memory/classes/total:bytes"
	rtReleased  = "/memory/classes/heap/released:bytes"
	rtLimit     = "/gc/gomemlimit:bytes"
	rtRoutines  = "/sched/goroutines:goroutines"
	rtProcs     = "/sched/gomaxprocs:threads"
	rtCycles    = "/gc/cycles/total:gc-cycles"
	rtGCCPU     = "/cpu/classes/gc/total:cpu-seconds"
	rtIdleCPU   = "/cpu/classes/idle:cpu-seconds"
	rtTotalCPU  = "/cpu/classes/total:cpu-seconds"
	rtMutex     = "/sync/mutex/wait/total:seconds"
	rtAllocs    = "/gc/heap/allocs:bytes"
	rtPauses    = "/sched/pauses/total/gc:seconds"
	rtLatencies = "/sched/latencies:seconds"
)

var runtimeNames = []string{rtHeap, rtTotal, rtReleased, rtLimit, rtRoutines, rtProcs, rtCycles, rtGCCPU, rtIdleCPU, rtTotalCPU,
	rtMutex, rtAllocs, rtPauses, rtLatencies}

// RuntimeReader reads the runtime's figures. The zero value is ready, its first reading is of the time since the start. It is safe
// for concurrent use; those who read share the time between.
type RuntimeReader struct {
	mu   sync.Mutex
	at   time.Time
	last map[string]metrics.Value
	read Runtime
}

// minInterval is how old a reading may be that is answered again: shares of less time say little.
const minInterval = 500 * time.Millisecond

// Read tells how the runtime fares; one that was asked half a second ago or less answers the same.
func (r *RuntimeReader) Read() Runtime {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.last != nil && now.Sub(r.at) < minInterval {
		return r.read
	}
	samples := make([]metrics.Sample, len(runtimeNames))
	for i, n := range runtimeNames {
		samples[i].Name = n
	}
	metrics.Read(samples)
	v := make(map[string]metrics.Value, len(samples))
	for _, s := range samples {
		v[s.Name] = s.Value
	}
	r.read = between(r.last, v)
	if r.last != nil {
		r.read.Seconds = now.Sub(r.at).Seconds()
		r.read.MutexWait /= r.read.Seconds
		r.read.AllocRate /= r.read.Seconds
	} else {
		r.read.MutexWait, r.read.AllocRate = 0, 0 // there is no time that they would be of
	}
	r.at, r.last = now, v
	return r.read
}

// between are the figures of the time between two readings; was is nil for none.
func between(was, is map[string]metrics.Value) Runtime {
	r := Runtime{HeapBytes: number(is[rtHeap]), MemBytes: number(is[rtTotal]) - number(is[rtReleased]), LimitBytes: number(is[rtLimit]),
		Goroutines: number(is[rtRoutines]), Procs: number(is[rtProcs]), GCCycles: number(is[rtCycles])}
	if r.LimitBytes == math.MaxInt64 {
		r.LimitBytes = 0
	}
	grown := func(name string) float64 { return seconds(is[name]) - seconds(was[name]) }
	if total := grown(rtTotalCPU); total > 0 { // estimates, which are made at each collection
		r.GCCPU = grown(rtGCCPU) / total
		r.CPU = max(0, 1-grown(rtIdleCPU)/total) * float64(r.Procs)
	}
	r.MutexWait = grown(rtMutex)
	r.AllocRate = float64(number(is[rtAllocs]) - number(was[rtAllocs]))
	r.GCPauseP99 = quantileOf(was[rtPauses], is[rtPauses], .99)
	r.SchedP50, r.SchedP99 = quantileOf(was[rtLatencies], is[rtLatencies], .5), quantileOf(was[rtLatencies], is[rtLatencies], .99)
	return r
}

// A figure that this version of the runtime does not know is 0.
func number(v metrics.Value) uint64 {
	if v.Kind() != metrics.KindUint64 {
		return 0
	}
	return v.Uint64()
}

func seconds(v metrics.Value) float64 {
	if v.Kind() != metrics.KindFloat64 {
		return 0
	}
	return v.Float64()
}

// quantileOf is the upper end of the bucket in which a quantile of what is in is and not in was lies; 0 when that is nothing.
func quantileOf(was, is metrics.Value, q float64) float64 {
	if is.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := is.Float64Histogram()
	counts := slices.Clone(h.Counts)
	if was.Kind() == metrics.KindFloat64Histogram {
		for i, n := range was.Float64Histogram().Counts {
			counts[i] -= n
		}
	}
	var total uint64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := rankOf(q, total)
	for i, n := range counts {
		if n >= rank {
			if end := h.Buckets[i+1]; !math.IsInf(end, 1) {
				return end
			}
			return h.Buckets[i]
		}
		rank -= n
	}
	return 0 // not reached: the ranks end with the total
}
