package loadsim

import (
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	longest    = 10 * time.Minute // latencies beyond count as this in percentiles
	maxKinds   = 64               // kinds of failures kept apart
	maxSamples = 5                // samples of each kind
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// stats are the latencies of one step.
type stats struct {
	hist *hdrhistogram.Histogram // microseconds
	n    int64
	sum  time.Duration
	max  time.Duration
}

func (s *stats) add(d time.Duration) {
	s.n++
	s.sum += d
	s.max = max(s.max, d)
	_ = s.hist.RecordValue(clamp(d)) // clamped: cannot be out of range
}

func (s *stats) merge(o *stats) {
	s.n += o.n
	s.sum += o.sum
	s.max = max(s.max, o.max)
	s.hist.Merge(o.hist)
}

func clamp(d time.Duration) int64 { return min(max(d.Microseconds(), 1), longest.Microseconds()) }

// tally is what several shoppers did; its size does not depend on how much that was.
type tally struct {
	mu       sync.Mutex
	steps    [stepCount]stats
	failed   map[string]*Failures
	refused  map[int]int64
	bad      int64
	orders   int64
	replays  int64
	journeys int64

	tick         *hdrhistogram.Histogram // since the last tick of the clock
	ticked       int64
	tickedErrors int64
}

func newTally() *tally {
	t := &tally{failed: map[string]*Failures{}, refused: map[int]int64{}, tick: newHistogram()}
	for i := range t.steps {
		t.steps[i].hist = newHistogram()
	}
	return t
}

func (t *tally) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps[r.step].add(r.took)
	_ = t.tick.RecordValue(clamp(r.took))
	t.ticked++
	if r.fail != nil {
		t.bad++
		t.tickedErrors++
		note(t.failed, r.fail.kind, 1, stepNames[r.step]+": "+r.fail.text)
	}
	if r.refusal != 0 {
		t.refused[r.refusal]++
	}
	if r.replayed {
		t.replays++
	}
	if r.order {
		t.orders++
	}
}

func (t *tally) journey() {
	t.mu.Lock()
	t.journeys++
	t.mu.Unlock()
}

// note counts n failures of a kind with samples of them, both bounded.
func note(all map[string]*Failures, kind string, n int64, samples ...string) {
	f := all[kind]
	if f == nil {
		if len(all) >= maxKinds {
			kind = "other"
		}
		if f = all[kind]; f == nil {
			f = &Failures{}
			all[kind] = f
		}
	}
	f.Count += n
	for _, s := range samples {
		if len(f.Samples) < maxSamples {
			f.Samples = append(f.Samples, s)
		}
	}
}

// recorder spreads shoppers over a few tallies, so that they do not queue for one lock.
type recorder struct{ tallies []*tally }

func newRecorder(users int) *recorder {
	r := &recorder{}
	for range min(users, 2*runtime.GOMAXPROCS(0), 16) {
		r.tallies = append(r.tallies, newTally())
	}
	return r
}

func (r *recorder) of(user int) *tally { return r.tallies[user%len(r.tallies)] }

// total merges all tallies into a new one.
func (r *recorder) total() *tally {
	sum := newTally()
	for _, t := range r.tallies {
		t.mu.Lock()
		for i := range t.steps {
			sum.steps[i].merge(&t.steps[i])
		}
		for kind, f := range t.failed {
			note(sum.failed, kind, f.Count, f.Samples...)
		}
		for status, n := range t.refused {
			sum.refused[status] += n
		}
		sum.bad += t.bad
		sum.orders += t.orders
		sum.replays += t.replays
		sum.journeys += t.journeys
		t.mu.Unlock()
	}
	return sum
}
