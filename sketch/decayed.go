package sketch

import (
	"math"
	"time"
)

// Weighted is a key with how much it was seen of late: Weight is at most Error too high, and never too low.
type Weighted struct {
	Key    string  `json:"key"`
	Weight float64 `json:"weight"`
	Error  float64 `json:"error"`
}

// DecayedTopK finds the keys that are seen most of late: what was seen one half-life ago counts half. It is space-saving
// over forward decay (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", 2009): instead of all counts shrinking as
// time goes by, new ones count for more, so that adding touches one key only. Any key that weighs more than Total/capacity is
// among those tracked. Times may come in any order.
type DecayedTopK struct {
	keys     saving[float64]
	halfLife time.Duration
	landmark time.Time // of weight 1
	total    float64   // at landmark
}

// NewDecayedTopK makes one that tracks capacity keys, at least one. halfLife must be positive; otherwise it is an hour.
func NewDecayedTopK(capacity int, halfLife time.Duration) *DecayedTopK {
	if halfLife <= 0 {
		halfLife = time.Hour
	}
	return &DecayedTopK{keys: newSaving[float64](capacity), halfLife: halfLife}
}

// HalfLife is after how long something counts half.
func (t *DecayedTopK) HalfLife() time.Duration { return t.halfLife }

// Len is how many keys are tracked.
func (t *DecayedTopK) Len() int { return len(t.keys.least) }

// Add counts key n times at a moment; what is not a positive number counts nothing. O(log capacity), without an
// allocation for a key that is tracked.
func (t *DecayedTopK) Add(key string, n float64, at time.Time) {
	t.AddWeighted(Weighted{Key: key, Weight: n}, at)
}

// AddWeighted adds what another sketch says of a key at a moment, with its doubt.
func (t *DecayedTopK) AddWeighted(w Weighted, at time.Time) {
	if !(w.Weight > 0) || math.IsInf(w.Weight, 1) {
		return
	}
	f := t.factor(at)
	doubt := 0.0
	if w.Error > 0 {
		doubt = min(w.Error, w.Weight) * f
	}
	t.total += w.Weight * f
	t.keys.add(w.Key, w.Weight*f, doubt)
}

// Remove forgets a key; Total goes on to count it.
func (t *DecayedTopK) Remove(key string) { t.keys.remove(key) }

// Top returns at most n keys with their weights at a moment, heaviest first.
func (t *DecayedTopK) Top(n int, at time.Time) []Weighted {
	f := t.factor(at)
	top := t.keys.top(n)
	out := make([]Weighted, len(top))
	for i, s := range top {
		out[i] = Weighted{s.key, s.count / f, s.err / f}
	}
	return out
}

// Total is the weight of everything at a moment.
func (t *DecayedTopK) Total(at time.Time) float64 {
	f := t.factor(at) // may move the landmark, and the total with it
	return t.total / f
}

// farthest is how many half-lives the landmark may lie back: 2⁵⁰⁰ leaves room for counts and sums in a float64.
const farthest = 500

// factor is how much something at a moment counts, by the landmark's measure. The landmark moves when it lies far back.
func (t *DecayedTopK) factor(at time.Time) float64 {
	if t.landmark.IsZero() {
		t.landmark = at
	}
	ages := float64(at.Sub(t.landmark)) / float64(t.halfLife)
	if ages > farthest {
		shrink := math.Exp2(-ages)
		t.keys.scale(func(n float64) float64 { return n * shrink })
		t.total *= shrink
		t.landmark, ages = at, 0
	}
	return math.Exp2(max(ages, -farthest))
}
