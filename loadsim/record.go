package loadsim

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

const (
	longest    = 10 * time.Minute // latencies beyond count as this in percentiles
	maxKinds   = 64               // kinds of failures kept apart
	maxSamples = 5                // samples of each kind
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// newCoarse is exact to one percent, in an eighth of the memory.
func newCoarse() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 2)
}

// stats is a distribution of times.
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

// counts are what is merely added up.
type counts struct {
	Bad      int64 `json:"bad"`
	Orders   int64 `json:"orders"`
	Replays  int64 `json:"replays"`
	Retries  int64 `json:"retries"`
	Sessions int64 `json:"sessions"` // walked to their end, or left
	Places   int64 `json:"places"`   // answers that were a place in the waiting room
	Admitted int64 `json:"admitted"` // shoppers whom the waiting room let in
}

func (c *counts) merge(o counts) {
	c.Bad += o.Bad
	c.Orders += o.Orders
	c.Replays += o.Replays
	c.Retries += o.Retries
	c.Sessions += o.Sessions
	c.Places += o.Places
	c.Admitted += o.Admitted
}

// tally is what several shoppers did; its size does not depend on how much that was.
type tally struct {
	mu sync.Mutex
	counts
	steps     [stepCount]stats
	lag       stats // how much later than due requests were sent, by fault of this generator
	queue     stats // answers that were places
	wait      stats // in the waiting room, of those who were let in
	failed    map[string]*Failures
	refused   map[int]int64
	abandoned map[string]int64
	tick      tick
}

// tick is what came since the last tick of the clock.
type tick struct {
	steps  [stepCount]buckets.Counts
	bad    [stepCount]int64
	kinds  map[string]int64
	places int64
}

func newTally() *tally {
	t := &tally{
		failed: map[string]*Failures{}, refused: map[int]int64{}, abandoned: map[string]int64{}, tick: tick{kinds: map[string]int64{}},
		lag: stats{hist: newCoarse()}, queue: stats{hist: newCoarse()}, wait: stats{hist: newCoarse()},
	}
	for i := range t.steps {
		t.steps[i].hist = newHistogram()
	}
	return t
}

func (t *tally) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps[r.step].add(r.took)
	t.tick.steps[r.step].Add(r.took)
	if r.fail != nil {
		t.Bad++
		t.tick.bad[r.step]++
		kind := note(t.failed, r.fail.kind, 1, stepNames[r.step]+": "+r.fail.text)
		t.tick.kinds[kind]++
	}
	if r.refusal != 0 {
		t.refused[r.refusal]++
	}
	if r.replayed {
		t.Replays++
	}
	if r.order {
		t.Orders++
	}
}

func (t *tally) journey() { t.locked(func() { t.Sessions++ }) }
func (t *tally) retry()   { t.locked(func() { t.Retries++ }) }

func (t *tally) abandon(why string)   { t.locked(func() { t.abandoned[why]++ }) }
func (t *tally) late(d time.Duration) { t.locked(func() { t.lag.add(d) }) }
func (t *tally) queued(took time.Duration) {
	t.locked(func() { t.Places++; t.tick.places++; t.queue.add(took) })
}
func (t *tally) admit(d time.Duration) { t.locked(func() { t.Admitted++; t.wait.add(d) }) }

func (t *tally) locked(f func()) {
	t.mu.Lock()
	f()
	t.mu.Unlock()
}

// note counts n failures of a kind with samples of them, both bounded, and returns the name they are counted under.
func note(all map[string]*Failures, kind string, n int64, samples ...string) string {
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
	return kind
}

// merge adds another tally; its ticks are left out.
func (t *tally) merge(o *tally) {
	t.counts.merge(o.counts)
	for i := range t.steps {
		t.steps[i].merge(&o.steps[i])
	}
	t.lag.merge(&o.lag)
	t.queue.merge(&o.queue)
	t.wait.merge(&o.wait)
	kinds := slices.SortedFunc(maps.Keys(o.failed), func(a, b string) int { return cmp.Compare(o.failed[b].Count, o.failed[a].Count) })
	for _, kind := range kinds { // the most frequent first: they are to keep their names
		note(t.failed, kind, o.failed[kind].Count, o.failed[kind].Samples...)
	}
	for status, n := range o.refused {
		t.refused[status] += n
	}
	for why, n := range o.abandoned {
		t.abandoned[why] += n
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
		sum.merge(t)
		t.mu.Unlock()
	}
	return sum
}
