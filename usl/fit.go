package usl

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Point is one measurement: n instances reached a throughput. Several with the same n are welcome: they tell how
// measurements scatter.
type Point struct {
	N          float64 `json:"n"`
	Throughput float64 `json:"throughput"`
}

// Options of a fit; the zero value works.
type Options struct {
	// Relative weighs a measurement's error by its share of the measurement, as is right where it grows with it. By default
	// errors count as they are.
	Relative bool
	// Confidence of the intervals. Default 0.95.
	Confidence float64
	// Resamples of the bootstrap. Default 400, negative none.
	Resamples int
	// Seed of the bootstrap. 0 is a seed like any other.
	Seed uint64
}

// Errors of [Fit].
var (
	ErrPoints  = errors.New("usl: not enough measurements")
	ErrOptions = errors.New("usl: wrong options")
)

// Result is the law that fits best, and how well.
type Result struct {
	Law
	R2     float64 `json:"r2"`   // share of the scatter that the law explains, at most 1
	Error  float64 `json:"rmse"` // root of the mean squared error, in λ's unit, or relative where that was asked for
	Points []Point `json:"points"`

	confidence float64
	samples    []Law
}

// Interval is what a figure lies between, with the confidence asked for.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Fit finds the law that fits the points best. It wants three different n at least; O(points × resamples).
func Fit(points []Point, o Options) (Result, error) {
	if o.Confidence == 0 {
		o.Confidence = 0.95
	}
	if o.Resamples == 0 {
		o.Resamples = 400
	}
	if !(o.Confidence > 0.5 && o.Confidence < 1) {
		return Result{}, fmt.Errorf("%w: a confidence of %v; between 0.5 and 1", ErrOptions, o.Confidence)
	}
	if err := check(points); err != nil {
		return Result{}, err
	}
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.N, b.N) })
	s := newSolver(points, o.Relative)
	law, sse := s.best()
	r := Result{Law: law, R2: s.r2(sse), Error: math.Sqrt(sse / float64(len(points))), Points: points, confidence: o.Confidence}
	if o.Resamples > 0 {
		r.samples = s.bootstrap(law, o)
	}
	return r, nil
}

func check(points []Point) error {
	different := map[float64]bool{}
	for _, p := range points {
		if !(p.N >= 1) || !(p.Throughput > 0) || math.IsInf(p.N, 1) || math.IsInf(p.Throughput, 1) {
			return fmt.Errorf("%w: %v of %v instances; both must be finite, throughput above 0, instances 1 at least", ErrPoints, p.Throughput, p.N)
		}
		different[p.N] = true
	}
	if len(different) < 3 {
		return fmt.Errorf("%w: %d different numbers of instances, 3 are needed", ErrPoints, len(different))
	}
	return nil
}

// Interval is the confidence interval of any figure that follows from the law; without a bootstrap, or with too few points
// for one, it goes from minus to plus infinity.
func (r Result) Interval(of func(Law) float64) Interval {
	if len(r.samples) == 0 {
		return Interval{math.Inf(-1), math.Inf(1)}
	}
	values := make([]float64, len(r.samples))
	for i, l := range r.samples {
		values[i] = of(l)
	}
	slices.Sort(values)
	tail := (1 - r.confidence) / 2
	at := func(q float64) float64 { return values[int(math.Round(q*float64(len(values)-1)))] }
	return Interval{at(tail), at(1 - tail)}
}
