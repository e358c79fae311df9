package usl

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func measured(l Law, noise float64, seed uint64, repeats int, ns ...float64) (points []Point) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, n := range ns {
		for range repeats {
			points = append(points, Point{n, l.Throughput(n) * (1 + noise*rng.NormFloat64())})
		}
	}
	return points
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// Without noise the planted law is found again, whatever it is.
func TestFindsPlantedLaw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Law{
			math.Pow(10, rapid.Float64Range(-3, 7).Draw(t, "log lambda")),
			rapid.Float64Range(0, 0.8).Draw(t, "sigma"), rapid.Float64Range(0, 0.1).Draw(t, "kappa"),
		}
		relative := rapid.Bool().Draw(t, "relative")
		got, err := Fit(measured(want, 0, 0, 1, 1, 2, 4, 8, 16), Options{Relative: relative, Resamples: -1})
		if err != nil {
			t.Fatal(err)
		}
		if !near(got.Lambda/want.Lambda, 1, 1e-4) || !near(got.Sigma, want.Sigma, 1e-4) || !near(got.Kappa, want.Kappa, 1e-5) {
			t.Fatalf("planted %+v, found %+v", want, got.Law)
		}
	})
}

// With noise it is found within what the noise allows, and never with negative parameters.
func TestFindsPlantedLawInNoise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := Law{1000, rapid.Float64Range(0, 0.3).Draw(t, "sigma"), rapid.Float64Range(0, 0.01).Draw(t, "kappa")}
		seed := rapid.Uint64().Draw(t, "seed")
		got, err := Fit(measured(want, 0.02, seed, 5, 1, 2, 4, 8, 16, 32), Options{Relative: true, Resamples: -1})
		if err != nil {
			t.Fatal(err)
		}
		if got.Sigma < 0 || got.Kappa < 0 || got.Lambda <= 0 {
			t.Fatalf("%+v", got.Law)
		}
		for _, n := range []float64{1, 2, 4, 8, 16, 32} {
			if !near(got.Throughput(n)/want.Throughput(n), 1, 0.06) {
				t.Fatalf("planted %+v, found %+v: %.0f instead of %.0f at %v", want, got.Law, got.Throughput(n), want.Throughput(n), n)
			}
		}
	})
}

// No law that the constraints allow fits better than the one found.
func TestNoBetterLawNearby(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var points []Point
		for n := 1.0; n <= 16; n *= 2 {
			points = append(points, Point{n, rapid.Float64Range(1, 1000).Draw(t, "x")})
		}
		got, err := Fit(points, Options{Resamples: -1})
		if err != nil {
			t.Fatal(err)
		}
		s := newSolver(got.Points, false)
		least := s.squares(vector{got.Lambda, got.Sigma, got.Kappa})
		for _, f := range []float64{0, 0.5, 0.9, 0.99, 1.01, 1.1, 2} {
			for _, g := range []float64{0, 0.5, 0.9, 0.99, 1, 1.01, 1.1, 2} {
				other := vector{got.Lambda * max(f, 0.01), got.Sigma * g, got.Kappa * f}
				if e := s.squares(other); e < least*(1-1e-6) {
					t.Fatalf("%+v has %v, %+v only %v", got.Law, least, other, e)
				}
			}
		}
	})
}

// Intervals hold the truth about as often as they say.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	want := Law{500, 0.05, 0.002}
	const runs = 120
	held := map[string]int{}
	for seed := range uint64(runs) {
		r, err := Fit(measured(want, 0.03, seed, 3, 1, 2, 4, 8), Options{Relative: true, Resamples: 150, Confidence: 0.9, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for name, of := range map[string]func(Law) float64{
			"lambda": func(l Law) float64 { return l.Lambda }, "efficiency": func(l Law) float64 { return l.Efficiency(8) },
		} {
			if i := r.Interval(of); i.Low <= of(want) && of(want) <= i.High {
				held[name]++
			}
			if i := r.Interval(of); i.High-i.Low > 0.5*of(want) {
				t.Errorf("%s: %+v is too wide to say anything", name, i)
			}
		}
	}
	for name, n := range held {
		if share := float64(n) / runs; share < 0.78 {
			t.Errorf("%s was within its 90 %% interval in %.0f %% of the runs", name, 100*share)
		}
	}
}

// The SDET benchmark of SPEC SDM91, with the parameters that the literature gives for it.
func TestPublishedMeasurements(t *testing.T) {
	t.Parallel()
	got, err := Fit([]Point{{1, 64.9}, {18, 995.9}, {36, 1652.4}, {72, 1853.2}, {108, 1828.9}, {144, 1775.0}, {216, 1702.2}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !near(got.Sigma, 0.0277, 0.001) || !near(got.Kappa, 0.000104, 0.000003) || !near(got.Lambda, 90, 1) || !near(got.Peak(), 96.5, 1) {
		t.Errorf("%+v, peak %v", got.Law, got.Peak())
	}
	if got.R2 < 0.98 {
		t.Errorf("R² is %v", got.R2)
	}
}

func TestSuperlinearIsProportional(t *testing.T) {
	t.Parallel()
	got, err := Fit([]Point{{1, 100}, {2, 230}, {4, 500}, {8, 1100}}, Options{})
	if err != nil || got.Sigma != 0 || got.Kappa != 0 || !math.IsInf(got.Peak(), 1) {
		t.Errorf("%v %+v", err, got.Law)
	}
}

func TestWrongPoints(t *testing.T) {
	t.Parallel()
	for _, points := range [][]Point{
		nil, {{1, 1}, {2, 2}}, {{1, 1}, {1, 1}, {1, 2}, {2, 2}}, {{0, 1}, {2, 1}, {3, 1}}, {{1, 0}, {2, 1}, {3, 1}},
		{{1, math.NaN()}, {2, 1}, {3, 1}}, {{1, 1}, {2, math.Inf(1)}, {3, 1}}, {{math.Inf(1), 1}, {2, 1}, {3, 1}},
	} {
		if _, err := Fit(points, Options{}); !errors.Is(err, ErrPoints) {
			t.Errorf("%v: %v", points, err)
		}
	}
	if _, err := Fit([]Point{{1, 1}, {2, 2}, {3, 3}}, Options{Confidence: 3}); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

func TestThreePointsHaveNoInterval(t *testing.T) {
	t.Parallel()
	r, err := Fit([]Point{{1, 10}, {2, 19}, {4, 34}}, Options{})
	if i := r.Interval(func(l Law) float64 { return l.Sigma }); err != nil || !math.IsInf(i.Low, -1) || !math.IsInf(i.High, 1) {
		t.Errorf("%v %+v", err, i)
	}
}

func TestSameSeedSameIntervals(t *testing.T) {
	t.Parallel()
	points := measured(Law{100, 0.1, 0.001}, 0.02, 7, 2, 1, 2, 4, 8)
	of := func(l Law) float64 { return l.Sigma }
	a, _ := Fit(points, Options{Seed: 3})
	b, _ := Fit(points, Options{Seed: 3})
	if a.Interval(of) != b.Interval(of) {
		t.Errorf("%+v %+v", a.Interval(of), b.Interval(of))
	}
}
