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

// By hand: logarithms of 100 and 121 are 0.1906 apart, of 640 and 800 0.2231; pooled variance (0.01817+0.02490)/2 = 0.02153, half of it
// from each number, so 0.1467 times 4.303 either way of ln (715.5/8/110) = -0.2067.
func TestRatioByHand(t *testing.T) {
	t.Parallel()
	s := Scaling{Points: []usl.Point{{N: 1, Throughput: 100}, {N: 8, Throughput: 640}, {N: 8, Throughput: 800}, {N: 1, Throughput: 121}}}
	mean, between := s.ratio()
	for _, c := range [][2]float64{{mean, 0.8131}, {between.Low, 0.4324}, {between.High, 1.529}} {
		if math.Abs(c[0]/c[1]-1) > 0.002 {
			t.Errorf("%v, %+v", mean, between)
		}
	}
	for _, few := range [][]usl.Point{nil, s.Points[:1], s.Points[:2], {{N: 1, Throughput: 100}, {N: 1, Throughput: 100}, {N: 8}, {N: 8}}} {
		if _, between := (&Scaling{Points: few}).ratio(); between != nil {
			t.Errorf("%v of %v", between, few)
		}
	}
}

// The interval holds what is true as often as it says, whatever the scatter.
func TestRatioIsAsCertainAsItSays(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const runs = 2000
	held := 0
	for i := range runs {
		var s Scaling
		scatter := []float64{0.02, 0.1, 0.4}[i%3]
		for _, n := range []float64{1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8} {
			s.Points = append(s.Points, usl.Point{N: n, Throughput: 500 * n * math.Pow(n/8, 0.05) * math.Exp(scatter*rng.NormFloat64())})
		}
		if _, between := s.ratio(); between.Low <= math.Pow(8, 0.05) && math.Pow(8, 0.05) <= between.High {
			held++
		}
	}
	if share := float64(held) / runs; share < 0.93 || share > 0.97 {
		t.Errorf("%.3f of the intervals hold the truth", share)
	}
}
