package schedule

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// curves are a generator of their own for each test, see buckets.
func curves() *rapid.Generator[Curve] {
	return rapid.Custom(func(t *rapid.T) Curve {
		stages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Stage {
			return Stage{
				time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond,
				float64(rapid.IntRange(0, 500).Draw(t, "from")), float64(rapid.IntRange(0, 500).Draw(t, "to")),
			}
		}), 1, 6).Draw(t, "stages")
		return New(stages)
	})
}

func all(c Curve, o Options) (at []time.Duration) {
	for a := c.Arrivals(o); ; {
		t, ok := a.Next()
		if !ok {
			return at
		}
		at = append(at, t)
	}
}

// areaUpTo adds up what is below the curve, the slow way.
func areaUpTo(c Curve, t time.Duration) (area float64) {
	for i, s := range c.stages {
		part := min(max(t-c.starts[i], 0), s.For).Seconds()
		level := s.From + (s.To-s.From)*part/s.For.Seconds()
		area += part * (s.From + level) / 2
	}
	return area
}

// Evenly spaced arrivals are exactly as many as the curve means, in order, and at any of them as many have come as the
// curve means up to then.
func TestEvenArrivalsFollowTheCurve(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := curves().Draw(t, "curve")
		at := all(c, Options{})
		if want := math.Ceil(c.Area() - 0.5); float64(len(at)) != want {
			t.Fatalf("%d arrivals, the curve means %v", len(at), c.Area())
		}
		if !slices.IsSorted(at) || len(at) > 0 && (at[0] < 0 || at[len(at)-1] > c.Length()) {
			t.Fatal("arrivals out of order or out of the curve")
		}
		for i, moment := range at {
			got := areaUpTo(c, moment)
			if math.Abs(got-float64(i)-0.5) > 1e-3 || math.Abs(got-c.Below(moment)) > 1e-6 {
				t.Fatalf("arrival %d at %v, where the curve means %v, by Below %v", i, moment, got, c.Below(moment))
			}
		}
	})
}

// However arrivals are shared out, the parts together are the whole.
func TestPartsMakeTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := curves().Draw(t, "curve")
		o := Options{Poisson: rapid.Bool().Draw(t, "poisson"), Seed: rapid.Uint64().Draw(t, "seed")}
		whole := all(c, o)
		var parts []time.Duration
		o.Parts = rapid.IntRange(1, 5).Draw(t, "parts")
		for o.Part = range o.Parts {
			part := all(c, o)
			if d := len(part) - len(whole)/o.Parts; d < 0 || d > 1 {
				t.Fatalf("a part of %d of %d", len(part), len(whole))
			}
			parts = append(parts, part...)
		}
		slices.Sort(parts)
		if !slices.Equal(parts, whole) {
			t.Fatal("the parts are not the whole")
		}
	})
}

// Poisson arrivals: the number's variance is its mean, and gaps are exponential.
func TestPoisson(t *testing.T) {
	t.Parallel()
	c := Flat(100, 10*time.Second)
	var n, n2, short, gaps float64
	const runs = 400
	for seed := range uint64(runs) {
		at := all(c, Options{Poisson: true, Seed: seed})
		n += float64(len(at)) / runs
		n2 += float64(len(at)) * float64(len(at)) / runs
		for i := 1; i < len(at); i++ {
			if gaps++; at[i]-at[i-1] < 10*time.Millisecond {
				short++
			}
		}
	}
	if math.Abs(n-1000) > 10 || n2-n*n < 700 || n2-n*n > 1300 {
		t.Errorf("mean %v, variance %v, want 1000 and about 1000", n, n2-n*n)
	}
	if share := short / gaps; math.Abs(share-(1-1/math.E)) > 0.01 {
		t.Errorf("%.3f of the gaps are below their mean, want 0.632", share)
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	c := New([]Stage{{10 * time.Second, 0, 100}, {0, 5, 5}, {-1, 5, 5}, {10 * time.Second, 20, 20}})
	for moment, want := range map[time.Duration]float64{
		-1: 0, 0: 0, 5 * time.Second: 50, 10 * time.Second: 20, 20*time.Second - 1: 20, 20 * time.Second: 0,
	} {
		if got := c.At(moment); math.Abs(got-want) > 1e-6 {
			t.Errorf("%v at %v, want %v", got, moment, want)
		}
	}
	if c.Length() != 20*time.Second || c.Area() != 700 || c.Peak() != 100 {
		t.Errorf("%v long, area %v, peak %v", c.Length(), c.Area(), c.Peak())
	}
	if s := c.Scale(2, 0.5); s.Length() != 10*time.Second || s.Area() != 700 || s.Peak() != 200 {
		t.Errorf("scaled: %v long, area %v, peak %v", s.Length(), s.Area(), s.Peak())
	}
	var none Curve
	if none.Length() != 0 || none.Area() != 0 || none.At(0) != 0 || len(all(none, Options{})) != 0 {
		t.Error("the zero curve is not over at once")
	}
}

func BenchmarkArrivals(b *testing.B) {
	c := New([]Stage{{time.Hour, 1, 1e9}, {time.Hour, 1e9, 1}})
	for name, o := range map[string]Options{"even": {}, "poisson": {Poisson: true}} {
		b.Run(name, func(b *testing.B) {
			a := c.Arrivals(o)
			for b.Loop() {
				a.Next()
			}
		})
	}
}
