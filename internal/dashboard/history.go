package dashboard

import (
	"math"
	"sync"
	"time"
)

// Kept is for how long figures are kept, one a second.
const Kept = time.Hour

const slots = int(Kept / time.Second)

// maxNames bounds how many figures are kept: more would mean that a name carries something unbounded.
const maxNames = 512

// History keeps the figures of the last hour, one a second. It takes 14 KB a figure and is safe for concurrent use.
type History struct {
	mu    sync.Mutex
	names map[string]*[slots]float32
	last  int64 // the second of the newest, in Unix time
	first int64
}

// Add keeps the values of a moment; a second that is already there is overwritten, seconds skipped are empty.
func (h *History) Add(t time.Time, values map[string]float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil {
		h.names, h.first, h.last = map[string]*[slots]float32{}, t.Unix(), t.Unix()-1
	}
	now := t.Unix()
	if now < h.last {
		return // the clock was set back; wait until it has caught up
	}
	nan := float32(math.NaN())
	for s := max(h.last+1, now-int64(slots)+1); s <= now; s++ {
		for _, ring := range h.names {
			ring[s%int64(slots)] = nan
		}
	}
	h.last = now
	for name, v := range values {
		ring := h.names[name]
		if ring == nil {
			if len(h.names) >= maxNames {
				continue
			}
			ring = new([slots]float32)
			for i := range ring {
				ring[i] = nan
			}
			h.names[name] = ring
		}
		ring[now%int64(slots)] = float32(v)
	}
}

// Stretch is a part of history: one value for every Step seconds from From on; null where nothing is known.
type Stretch struct {
	From   int64                 `json:"from"`
	Step   int64                 `json:"step"`
	Values map[string][]*float32 `json:"values"`
}

// maxPoints is how many values of a figure an answer has at most; longer stretches are thinned by their means.
const maxPoints = 900

// Last returns the last d of every figure.
func (h *History) Last(d time.Duration) Stretch {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(max(int64(d/time.Second), 1), int64(slots))
	step := (n + maxPoints - 1) / maxPoints
	from := max(h.last-n+1, h.first)
	s := Stretch{From: from, Step: step, Values: map[string][]*float32{}}
	for name, ring := range h.names {
		var points []*float32
		for at := from; at <= h.last; at += step {
			points = append(points, mean(ring, at, min(at+step-1, h.last)))
		}
		s.Values[name] = points
	}
	return s
}

func mean(ring *[slots]float32, from, to int64) *float32 {
	var sum float64
	n := 0
	for at := from; at <= to; at++ {
		if v := float64(ring[at%int64(slots)]); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return nil
	}
	m := float32(sum / float64(n))
	return &m
}
