package sketch_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/sketch"
	"pgregory.net/rapid"
)

func ExampleDecayedTopK() {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	top := sketch.NewDecayedTopK(100, time.Hour)
	top.Add("lamp", 100, noon.Add(-3*time.Hour))
	top.Add("kettle", 20, noon)
	for _, w := range top.Top(2, noon) {
		fmt.Println(w.Key, w.Weight)
	}
	// Output:
	// kettle 20
	// lamp 12.5
}

// Whatever is added, at whatever time and in whatever order: no weight is too little, none is more than its error too much,
// and nothing heavy is missing. Exactly means by summing every addition's own decay.
func TestDecayedBounds(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 6).Draw(t, "capacity")
		halfLife := time.Duration(rapid.Int64Range(1, 100).Draw(t, "half-life")) * time.Second
		reach := rapid.SampledFrom([]int64{10, 1000, 300_000}).Draw(t, "reach") // the last moves the landmark
		type added struct {
			n  float64
			at time.Time
		}
		top, all := sketch.NewDecayedTopK(capacity, halfLife), map[string][]added{}
		last := start
		for range rapid.IntRange(0, 60).Draw(t, "adds") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "key")
			a := added{rapid.Float64Range(0.1, 100).Draw(t, "n"), start.Add(time.Duration(rapid.Int64Range(0, reach).Draw(t, "at")) * time.Second)}
			all[key] = append(all[key], a)
			top.Add(key, a.n, a.at)
			if a.at.After(last) {
				last = a.at
			}
		}
		exact, total := map[string]float64{}, 0.0
		for k, list := range all {
			for _, a := range list {
				exact[k] += a.n * math.Exp2(-float64(last.Sub(a.at))/float64(halfLife))
			}
			total += exact[k]
		}
		slack := 1e-9 * (1 + total)
		if got := top.Total(last); math.Abs(got-total) > slack {
			t.Fatalf("total %v, want %v", got, total)
		}
		listed, before := map[string]bool{}, math.Inf(1)
		for _, w := range top.Top(100, last) {
			listed[w.Key] = true
			if w.Weight > before {
				t.Fatalf("%+v stands after %v", w, before)
			}
			before = w.Weight
			if w.Weight < exact[w.Key]-slack || w.Weight-w.Error > exact[w.Key]+slack {
				t.Fatalf("%+v, exactly %v", w, exact[w.Key])
			}
		}
		for k, n := range exact {
			if n > total/float64(capacity)+slack && !listed[k] {
				t.Fatalf("%q weighs %v of %v and is not among %d", k, n, total, capacity)
			}
		}
	})
}

// What a sketch says can be carried into another one, as a restart does.
func TestDecayedCarriedOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a, b := sketch.NewDecayedTopK(8, time.Minute), sketch.NewDecayedTopK(8, time.Minute)
	for i, key := range []string{"x", "y", "y", "z", "z", "z"} {
		a.Add(key, 1, now.Add(time.Duration(i)*time.Second))
	}
	saved := now.Add(10 * time.Second)
	for _, w := range a.Top(8, saved) {
		b.AddWeighted(w, saved)
	}
	later := now.Add(5 * time.Minute)
	want, got := a.Top(8, later), b.Top(8, later)
	if len(got) != 3 {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i].Key != want[i].Key || math.Abs(got[i].Weight-want[i].Weight) > 1e-12 {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	b.Remove("z")
	if got := b.Top(1, later); got[0].Key != "y" || b.Len() != 2 {
		t.Errorf("%v", got)
	}
}

// What is no number of times, and times that are far apart, do no harm.
func TestDecayedOddInput(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	top := sketch.NewDecayedTopK(2, time.Millisecond)
	for _, n := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		top.Add("odd", n, now)
	}
	top.Add("old", 5, now)
	top.Add("older", 5, now.Add(-200*365*24*time.Hour))
	top.Add("new", 1, now.Add(200*365*24*time.Hour))
	got := top.Top(2, now.Add(200*365*24*time.Hour))
	if len(got) != 2 || got[0].Key != "new" || got[0].Weight != 1 || got[1].Weight != 0 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkDecayedTopK(b *testing.B) {
	top := sketch.NewDecayedTopK(10_000, time.Hour)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("/products/", i)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		top.Add(keys[i*i%1000], 1, now.Add(time.Duration(i)*time.Millisecond))
	}
}
