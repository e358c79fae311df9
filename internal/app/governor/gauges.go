package governor

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// GCKnob turns how much memory is spent to collect garbage less often, and, once it is turned down, bounds the heap as
// well, a quarter above what is in use.
func GCKnob(percent float64) *Knob {
	return &Knob{Name: "gc_percent", Now: percent, Low: 25, High: percent, Step: 0.7, Press: Strain.Short, Set: func(v float64) {
		debug.SetGCPercent(int(v))
		bound := int64(math.MaxInt64)
		if v < percent {
			bound = int64(1.25 * float64(inUse()))
		}
		debug.SetMemoryLimit(bound)
	}}
}

// inUse is the memory that the Go runtime has from the system and did not give back, in bytes.
func inUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// Gauges measures pressure.
type Gauges struct {
	root  string // of the file system; "" but in tests
	Pools func() []*pgxpool.Pool

	sched    []uint64 // counts of the last time
	acquires int64
	waited   time.Duration
}

// Measure looks at the process and its pools.
func (g *Gauges) Measure() Strain {
	p := Strain{Free: g.free(), Sched: g.schedWait()}
	if g.Pools != nil {
		p.PoolWait = g.poolWait()
	}
	return p
}

// free is the smaller share of what a control group and the machine have left.
func (g *Gauges) free() float64 {
	free := 1.0
	for _, c := range []struct{ limit, used, stat, key string }{
		{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current", "sys/fs/cgroup/memory.stat", "inactive_file"},
		{"sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes", "sys/fs/cgroup/memory/memory.stat", "total_inactive_file"},
	} {
		limit, used := g.number(c.limit), g.number(c.used)
		if limit > 0 && limit < 1<<50 && used > 0 { // v1 writes a huge number for none, v2 a word
			free = min(free, max(0, 1-(used-g.field(c.stat, c.key))/limit))
		}
	}
	if total := g.field("proc/meminfo", "MemTotal:"); total > 0 {
		free = min(free, g.field("proc/meminfo", "MemAvailable:")/total)
	}
	return free
}

func (g *Gauges) read(path string) string {
	raw, _ := os.ReadFile(filepath.Join("/", g.root, path)) // not every system has every file
	return string(raw)
}

func (g *Gauges) number(path string) float64 {
	v, _ := strconv.ParseFloat(strings.TrimSpace(g.read(path)), 64)
	return v
}

// field is a number behind a word at the beginning of a line, 0 when there is none.
func (g *Gauges) field(path, key string) float64 {
	for line := range strings.Lines(g.read(path)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			v, _ := strconv.ParseFloat(f[1], 64)
			return v
		}
	}
	return 0
}

// schedWait is the 99th percentile of how long goroutines were runnable before they ran, since the last time.
func (g *Gauges) schedWait() time.Duration {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	before := g.sched
	g.sched = append([]uint64(nil), h.Counts...)
	if before == nil {
		return 0
	}
	total := uint64(0)
	for i := range h.Counts {
		total += h.Counts[i] - before[i]
	}
	rest := total / 100
	for i := len(h.Counts) - 1; i >= 0; i-- {
		n := h.Counts[i] - before[i]
		if n > rest {
			return time.Duration(min(max(h.Buckets[i], 0), 3600) * float64(time.Second))
		}
		rest -= n
	}
	return 0
}

// poolWait is how long one acquiring a connection waited on average, since the last time.
func (g *Gauges) poolWait() time.Duration {
	var acquires int64
	var waited time.Duration
	for _, p := range g.Pools() {
		st := p.Stat()
		acquires += st.AcquireCount()
		waited += st.EmptyAcquireWaitTime()
	}
	n, d := acquires-g.acquires, waited-g.waited
	g.acquires, g.waited = acquires, waited
	if n <= 0 || d <= 0 { // pools may have been replaced
		return 0
	}
	return d / time.Duration(n)
}
