package warm_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/cache/warm"
)

func predictor(f func(n int) []warm.Demand) warm.Predictor {
	return warm.PredictorFunc(func(_ context.Context, _ time.Time, n int) ([]warm.Demand, error) { return f(n), nil })
}

func anyKey() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
}

func anyDemand(t *rapid.T) (out []warm.Demand) {
	for range rapid.IntRange(0, 20).Draw(t, "demands") {
		rate := rapid.OneOf(rapid.Float64Range(-1, 10), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), 1e308})).Draw(t, "rate")
		out = append(out, warm.Demand{Key: anyKey().Draw(t, "key"), Rate: rate})
	}
	return out
}

func anyValues(t *rapid.T) map[string]float64 {
	return rapid.MapOf(anyKey(), rapid.OneOf(rapid.Float64Range(-1, 5), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1)}))).Draw(t, "values")
}

// A ranking has every key once, the best first; what is worth nothing is not in it; a longer one begins like a shorter one; and the
// order in which demands come does not matter.
func TestRankOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, values := anyDemand(t), anyValues(t)
		n := rapid.IntRange(-1, 10).Draw(t, "n")
		all, some := warm.Rank(demand, values, 100), warm.Rank(demand, values, n)
		if len(some) != min(max(n, 0), len(all)) || !slices.Equal(some, all[:len(some)]) {
			t.Fatalf("%d of %v are %v", n, all, some)
		}
		seen := map[string]bool{}
		for i, it := range all {
			if seen[it.Key] || !(it.Score > 0) || math.IsInf(it.Score, 1) || it.Score != min(it.Demand*it.Value, math.MaxFloat64) {
				t.Fatalf("%+v in %v", it, all)
			}
			if seen[it.Key] = true; i > 0 && all[i-1].Score < it.Score {
				t.Fatalf("%v", all)
			}
			if v, named := values[it.Key]; named && !(v > 0) {
				t.Fatalf("%+v is worth %v", it, v)
			}
		}
		whole := make([]warm.Demand, len(demand)) // sums of whole numbers do not depend on their order
		for i, d := range demand {
			whole[i] = warm.Demand{Key: d.Key, Rate: math.Floor(d.Rate)}
		}
		mixed := slices.Clone(whole)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if a, b := warm.Rank(whole, values, n), warm.Rank(mixed, values, n); !slices.Equal(a, b) {
			t.Fatalf("%v in another order %v", a, b)
		}
	})
}

// More demand, or more worth, never makes a key come later.
func TestRankRisesWithDemandAndWorth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		demand, values, key := anyDemand(t), anyValues(t), anyKey().Draw(t, "which")
		place := func(list []warm.Item) int {
			if i := slices.IndexFunc(list, func(it warm.Item) bool { return it.Key == key }); i >= 0 {
				return i
			}
			return len(list)
		}
		before := warm.Rank(demand, values, 100)
		if place(before) == len(before) {
			return
		}
		more := append(slices.Clone(demand), warm.Demand{Key: key, Rate: rapid.Float64Range(0, 5).Draw(t, "more")})
		if p := place(warm.Rank(more, values, 100)); p > place(before) {
			t.Fatalf("with more demand from %d to %d", place(before), p)
		}
		worth := map[string]float64{}
		for k, v := range values {
			worth[k] = v
		}
		if _, named := worth[key]; !named {
			worth[key] = 1
		}
		worth[key] *= rapid.Float64Range(1, 5).Draw(t, "factor")
		if p := place(warm.Rank(demand, worth, 100)); p > place(before) {
			t.Fatalf("worth more from %d to %d", place(before), p)
		}
	})
}

func TestFillUp(t *testing.T) {
	t.Parallel()
	list := func(d ...warm.Demand) warm.Predictor { return predictor(func(int) []warm.Demand { return d }) }
	broken := warm.PredictorFunc(func(context.Context, time.Time, int) ([]warm.Demand, error) { return nil, errors.New("broken") })
	order := func(p warm.Predictor, n int) (keys []string) {
		got, err := p.Predict(t.Context(), time.Now(), n)
		if err != nil {
			return []string{err.Error()}
		}
		for _, it := range warm.Rank(got, nil, 100) {
			keys = append(keys, it.Key)
		}
		return keys
	}
	known := list(warm.Demand{Key: "a", Rate: 0.002}, warm.Demand{Key: "b", Rate: 0.001})
	popular := list(warm.Demand{Key: "x", Rate: 50}, warm.Demand{Key: "a", Rate: 40}, warm.Demand{Key: "y", Rate: 30})
	for _, c := range []struct {
		p    warm.Predictor
		n    int
		want []string
	}{
		{warm.FillUp(known, popular), 2, []string{"a", "b"}},
		{warm.FillUp(known, popular), 3, []string{"a", "b", "x"}},
		{warm.FillUp(known, popular), 9, []string{"a", "b", "x", "y"}},
		{warm.FillUp(list(), popular), 2, []string{"x", "a"}},
		{warm.FillUp(known, broken), 9, []string{"a", "b"}},
		{warm.FillUp(broken, popular), 1, []string{"x"}},
		{warm.FillUp(known, list()), 9, []string{"a", "b"}},
		{warm.FillUp(broken, broken), 9, []string{"broken\nbroken"}},
	} {
		if got := order(c.p, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d: %q, want %q", c.n, got, c.want)
		}
	}
}

func BenchmarkRank(b *testing.B) {
	demand := make([]warm.Demand, 8192)
	for i, k := range numbered(len(demand)) {
		demand[i] = warm.Demand{Key: k, Rate: rand.Float64()}
	}
	b.ReportAllocs()
	for b.Loop() {
		warm.Rank(demand, nil, 2000)
	}
}
