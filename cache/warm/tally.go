package warm

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/sketch"
)

// Tally counts what is asked of a cache in another process, in windows of time, for a [Warmer] to fetch and [Warmer.Hear]. It is safe
// for concurrent use, and cheap enough for the fastest path.
type Tally struct {
	window  time.Duration
	every   uint32
	keys    int
	started time.Time

	mu   sync.Mutex
	now  *sketch.TopK
	at   int64 // number of the window that now counts
	last Report
}

// Report is what was asked for in one window of time that is over.
type Report struct {
	Started time.Time        `json:"started"` // of the process: another one has an empty cache
	Window  int64            `json:"window"`
	Keys    []sketch.Counted `json:"keys"`
}

// NewTally tracks so many keys in each window, from a sample of one request in every (at least one), each counting that often. Less
// than two windows pass between a request and its report.
func NewTally(keys int, window time.Duration, every int) *Tally {
	t := &Tally{window: max(window, time.Second), every: uint32(max(every, 1)), keys: keys, started: time.Now()}
	t.now, t.at = sketch.NewTopK(keys), t.number(t.started)
	t.last = Report{Started: t.started.UTC(), Window: t.at - 1, Keys: []sketch.Counted{}}
	return t
}

func (t *Tally) number(at time.Time) int64 { return at.UnixNano() / int64(t.window) }

// Sampled tells whether the request at hand is one to be counted by Add. It costs a few nanoseconds.
func (t *Tally) Sampled() bool { return t.every == 1 || rand.Uint32N(t.every) == 0 }

// Add counts a request that was Sampled. It never waits: when others count at the same moment it may leave one out.
func (t *Tally) Add(key string) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	t.turn(time.Now())
	t.now.Add(key, uint64(t.every))
}

// turn begins a new window when the time has come.
func (t *Tally) turn(now time.Time) {
	n := t.number(now)
	if n == t.at {
		return
	}
	t.last = Report{Started: t.last.Started, Window: n - 1, Keys: []sketch.Counted{}}
	if n == t.at+1 {
		t.last.Keys = t.now.Top(t.keys)
	}
	t.now, t.at = sketch.NewTopK(t.keys), n
}

// Report is the last window that is over.
func (t *Tally) Report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(time.Now())
	return t.last
}

// heard is what a Warmer remembers of a source of reports.
type heard struct {
	started time.Time
	window  int64
}

// Hear counts a report of a source, each window once. It tells whether the source is one that was not known, or began anew: its
// cache is empty then, or may be.
func (w *Warmer) Hear(source string, r Report) (anew bool) {
	w.mu.Lock()
	was := w.heard[source]
	anew = !was.started.Equal(r.Started)
	due := anew || r.Window > was.window
	if due {
		if w.heard == nil {
			w.heard = map[string]heard{}
		}
		w.heard[source] = heard{r.Started, r.Window}
	}
	w.mu.Unlock()
	if due {
		for _, k := range r.Keys {
			w.Count(k.Key, float64(k.Count-k.Error)) // what is certain
		}
	}
	return anew
}
