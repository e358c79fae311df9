package telemetry

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
)

// A name that the runtime does not know would silently be 0.
func TestTheRuntimeKnowsTheNames(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, d := range metrics.All() {
		known[d.Name] = true
	}
	for _, n := range runtimeNames {
		if !known[n] {
			t.Errorf("%s is not among the runtime's metrics", n)
		}
	}
}

func TestRuntimeFigures(t *testing.T) {
	t.Parallel()
	var r RuntimeReader
	runtime.GC()
	first := r.Read()
	if first.HeapBytes == 0 || first.MemBytes < first.HeapBytes || first.Goroutines < 2 || int(first.Procs) != runtime.GOMAXPROCS(0) ||
		first.GCCycles == 0 || first.GCPauseP99 <= 0 || first.SchedP99 < first.SchedP50 || first.Seconds != 0 {
		t.Errorf("%+v", first)
	}
	if again := r.Read(); again != first {
		t.Errorf("a reading of no time: %+v", again)
	}
}

func TestRuntimeBetweenReadings(t *testing.T) {
	t.Parallel()
	read := func() map[string]metrics.Value {
		samples := make([]metrics.Sample, len(runtimeNames))
		for i, n := range runtimeNames {
			samples[i].Name = n
		}
		metrics.Read(samples)
		out := map[string]metrics.Value{}
		for _, s := range samples {
			out[s.Name] = s.Value
		}
		return out
	}
	was := read()
	var keep [][]byte
	for range 64 {
		keep = append(keep, slices.Repeat([]byte{1}, 1<<16))
	}
	runtime.GC()
	r := between(was, read())
	if r.AllocRate < 64<<16 || r.GCPauseP99 <= 0 || r.GCCPU <= 0 || r.GCCPU > 1 || r.CPU < 0 || r.CPU > float64(r.Procs) {
		t.Errorf("%+v", r)
	}
	runtime.KeepAlive(keep)
	is := read()
	if same := between(is, is); same.GCPauseP99 != 0 || same.AllocRate != 0 || same.GCCPU != 0 {
		t.Errorf("nothing happened: %+v", same)
	}
}
