package warm

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Request says what a run is to bring in; the zero value means what the predictor foretells for now, into all tiers.
type Request struct {
	Reason string    `json:"reason"`          // for people, such as "start"
	Keys   []string  `json:"keys,omitempty"`  // brought in first, in this order, whatever they are worth
	Only   bool      `json:"only,omitempty"`  // nothing but Keys
	Top    int       `json:"top,omitempty"`   // items besides Keys; 0 is as many as was learnt to pay
	Rate   float64   `json:"rate,omitempty"`  // loads a second at most; 0 is what was learnt
	Tiers  []string  `json:"tiers,omitempty"` // names; none means all
	At     time.Time `json:"at,omitzero"`     // for when demand is foretold; zero is now
	Afresh bool      `json:"-"`               // begin at the start, also when the same request was interrupted
}

func (w *Warmer) checked(r Request) error {
	switch {
	case r.Top < 0 || r.Rate < 0:
		return fmt.Errorf("%w: top and rate must not be negative", ErrOptions)
	case r.Only && len(r.Keys) == 0:
		return fmt.Errorf("%w: nothing but keys is to be warmed, and there are none", ErrOptions)
	case len(r.Keys)+r.Top > maxPlan:
		return fmt.Errorf("%w: more than %d items", ErrOptions, maxPlan)
	}
	for _, name := range r.Tiers {
		if !slices.ContainsFunc(w.tiers, func(t Tier) bool { return t.Name() == name }) {
			return fmt.Errorf("%w: there is no tier %q", ErrOptions, name)
		}
	}
	return nil
}

// chosen are the tiers that a request names.
func (w *Warmer) chosen(r Request) []Tier {
	if len(r.Tiers) == 0 {
		return w.tiers
	}
	var out []Tier
	for _, t := range w.tiers {
		if slices.Contains(r.Tiers, t.Name()) {
			out = append(out, t)
		}
	}
	return out
}

// plan is what to bring in, in order: the named keys, of which there are named, then the ranking.
func (w *Warmer) plan(ctx context.Context, r Request) (keys []string, named int, err error) {
	seen := map[string]bool{}
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for _, k := range r.Keys {
		add(k)
	}
	named = len(keys)
	if r.Only {
		return keys, named, nil
	}
	n := r.Top
	if n == 0 {
		n = w.Tuning().Amount
	}
	ranked, err := w.Rank(ctx, r.At, n)
	if err != nil && named == 0 {
		return nil, 0, err
	}
	if r.Top == 0 {
		ranked = w.worthwhile(ranked)
	}
	for _, it := range ranked {
		add(it.Key)
	}
	return keys, named, nil
}

// Rank is the order in which keys would be brought in at a moment (zero: now), the n first, by the predictor and by what they
// are worth. Without an answer about worth all are worth the same.
func (w *Warmer) Rank(ctx context.Context, at time.Time, n int) ([]Item, error) {
	if at.IsZero() {
		at = time.Now()
	}
	demand, err := w.o.Predictor.Predict(ctx, at, 2*n) // what is in second place by demand may be in first by worth
	if err != nil {
		return nil, fmt.Errorf("warm: demand: %w", err)
	}
	var values map[string]float64
	if w.o.Values != nil && len(demand) > 0 {
		keys := make([]string, len(demand))
		for i, d := range demand {
			keys[i] = d.Key
		}
		if values, err = w.o.Values.Values(ctx, keys); err != nil {
			w.o.Log.Warn("warming ranks by demand alone", "error", err)
		}
	}
	return Rank(demand, values, n), nil
}

// worthwhile leaves out what will probably not be asked for as long as it lives. Requests are taken to come independently of each other
// (Poisson).
func (w *Warmer) worthwhile(items []Item) []Item {
	if w.o.Life == nil {
		return items
	}
	return slices.DeleteFunc(items, func(it Item) bool {
		return 1-math.Exp(-it.Demand*w.o.Life(it.Key).Seconds()) < w.o.MinUse
	})
}
