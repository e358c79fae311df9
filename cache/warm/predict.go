package warm

import (
	"context"
	"errors"
	"time"
)

// Demand is how often a key is expected to be asked for.
type Demand struct {
	Key  string  `json:"key"`
	Rate float64 `json:"rate"` // a second
}

// Predictor foretells demand. [Popularity] is one that expects the near past to go on.
type Predictor interface {
	// Predict returns at most n keys, those that will be asked for most at a moment, in any order.
	Predict(ctx context.Context, at time.Time, n int) ([]Demand, error)
}

// PredictorFunc is a Predictor.
type PredictorFunc func(ctx context.Context, at time.Time, n int) ([]Demand, error)

// Predict calls f.
func (f PredictorFunc) Predict(ctx context.Context, at time.Time, n int) ([]Demand, error) {
	return f(ctx, at, n)
}

// Valuer says what having a key ready is worth to the business, such as its margin, more in a campaign.
type Valuer interface {
	// Values returns the worth of keys: 1 is ordinary, 0 not worth warming. Keys left out are ordinary.
	Values(ctx context.Context, keys []string) (map[string]float64, error)
}

// ValuerFunc is a Valuer.
type ValuerFunc func(ctx context.Context, keys []string) (map[string]float64, error)

// Values calls f.
func (f ValuerFunc) Values(ctx context.Context, keys []string) (map[string]float64, error) {
	return f(ctx, keys)
}

// FillUp is first, and second for as many keys as first does not know: all of those count for less than first's, in their own
// order. It is for a shop that has just opened, whose Popularity is empty. An error of one of them leaves the other.
func FillUp(first, second Predictor) Predictor { return fillUp{first, second} }

type fillUp struct{ first, second Predictor }

func (f fillUp) Predict(ctx context.Context, at time.Time, n int) ([]Demand, error) {
	known, err := f.first.Predict(ctx, at, n)
	if len(known) >= n {
		return known, err
	}
	more, err2 := f.second.Predict(ctx, at, n)
	if all := append(known, below(known, more, n-len(known))...); len(all) > 0 {
		return all, nil
	}
	return nil, errors.Join(err, err2)
}

// below are the n highest of more that are not known, scaled to rates below those known.
func below(known, more []Demand, n int) []Demand {
	least, have := 1.0, make(map[string]bool, len(known))
	for i, d := range known {
		have[d.Key] = true
		if i == 0 || d.Rate < least {
			least = d.Rate
		}
	}
	ranked := Rank(more, nil, len(more))
	if len(ranked) == 0 {
		return nil
	}
	scale := least / (2 * ranked[0].Demand)
	var out []Demand
	for _, it := range ranked {
		if !have[it.Key] && len(out) < n {
			out = append(out, Demand{it.Key, it.Demand * scale})
		}
	}
	return out
}
