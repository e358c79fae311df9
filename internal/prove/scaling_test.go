package prove

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/usl"
)

// What decides stands first: a figure above the target does not read like a pass when its interval reaches below.
func TestScalingSaysWhatDecides(t *testing.T) {
	t.Parallel()
	s := Scaling{Efficiency: 1, Ratio: 0.927, Fit: &usl.Result{}, Between: &usl.Interval{Low: 0.268, High: 1}, Runs: []ScalingRun{{N: 1, Used: 1}}}
	if got := s.measured(); !strings.HasPrefix(got, "≥ 26 % for certain (93 %") {
		t.Error(got)
	}
	if list := s.doubts(); len(list) != 1 || !strings.Contains(list[0], "lower end") {
		t.Errorf("%q", list)
	}
	s.Between.Low = 0.86
	if list := s.doubts(); len(list) != 0 {
		t.Errorf("above the target, and yet %q", list)
	}
	s.Between = nil
	if got := s.measured(); !strings.Contains(got, "nothing certain") || len(s.doubts()) != 1 {
		t.Error(got, s.doubts())
	}
}

// By hand: everything of the second repeat is twice what it was, but for that of eight, which is 2.42 times as much (ln 1.21 = 0.1906 more). So
// eight make 640·1.1 (800 in the mean) over eight times 100; what is left of eight is ±0.0715, of the others ∓0.0238: 2·0.00511+6·0.000568
// over 3 degrees of freedom is 0.00454, so 3.182·√0.00454 = 0.2144 either way of 0.88.
func TestRatioByHand(t *testing.T) {
	t.Parallel()
	s := Scaling{}
	for _, p := range [][2]float64{{8, 640}, {1, 100}, {4, 400}, {2, 200}, {1, 200}, {2, 400}, {8, 2 * 1.21 * 640}, {4, 800}} {
		s.Points = append(s.Points, usl.Point{N: p[0], Throughput: p[1]})
	}
	mean, between := s.ratio()
	for _, c := range [][2]float64{{mean, 0.88}, {between.Low, 0.7102}, {between.High, 1.0904}} {
		if math.Abs(c[0]/c[1]-1) > 0.002 {
			t.Errorf("%v, %+v", mean, between)
		}
	}
	s.Points[0].Throughput = 0
	for _, few := range [][]usl.Point{nil, s.Points[:3], s.Points[4:], s.Points} {
		if _, between := (&Scaling{Points: few}).ratio(); between != nil {
			t.Errorf("%v of %v", between, few)
		}
	}
}

// Percentiles from the tables of the distribution.
func TestStudent(t *testing.T) {
	t.Parallel()
	for free, want := range map[int]float64{1: 12.706, 16: 2.120, 17: 2.110, 30: 2.042, 60: 2.000, 120: 1.980} {
		if got := student(free); math.Abs(got-want) > 0.0025 {
			t.Errorf("%d degrees of freedom: %.4f, want %.3f", free, got, want)
		}
	}
}

// The interval holds what is true as often as it says, whatever the scatter and however much repeats differ.
func TestRatioIsAsCertainAsItSays(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const runs = 2000
	held, truth := 0, math.Pow(8, 0.05)
	for i := range runs {
		var s Scaling
		scatter := []float64{0.02, 0.1, 0.4}[i%3]
		for range 3 {
			drift := math.Exp(0.3 * rng.NormFloat64())
			for _, n := range []float64{4, 1, 8, 2} {
				s.Points = append(s.Points, usl.Point{N: n, Throughput: 500 * n * drift * math.Pow(n, 0.05) * math.Exp(scatter*rng.NormFloat64())})
			}
		}
		if _, between := s.ratio(); between.Low <= truth && truth <= between.High {
			held++
		}
	}
	if share := float64(held) / runs; share < 0.93 || share > 0.97 {
		t.Errorf("%.3f of the intervals hold the truth", share)
	}
}
