package bottleneck

import (
	"fmt"
	"math"

	"github.com/stampede-shop/stampede/usl"
)

// knee is what the Universal Scalability Law says of a resource whose use follows the load: throughput by how much of the resource is in use.
// The utilisation law draws a straight line; this one bends where what is in use waits for each other. It explains, and foretells nothing: as
// a forecast it named fewer causes than the trend does (docs/predict.md).
type knee struct {
	law  usl.Law
	full float64 // requests a second at which the resource is full, or beyond which more of it in use reach less
}

const (
	kneeUnits = 100  // a resource counts as so many units
	kneeFit   = 0.8  // share of the scatter that the law has to explain
	kneeSpan  = 0.10 // of use that the points have to span: a law fitted to a spot says nothing
	kneeBends = 0.1  // by which what one unit does has to have become less
)

// kneeOf fits the law to points since a moment; false when they do not tell, or when the line is straight.
func (r *series) kneeOf(window int, since float64) (k knee, ok bool) {
	x, use, load := r.points(window)
	var points []usl.Point
	low, high := math.Inf(1), 0.0
	for i, u := range use {
		if n := kneeUnits * u; n >= 1 && load[i] > 0 && x[i] >= since {
			points = append(points, usl.Point{N: n, Throughput: load[i]})
			low, high = min(low, u), max(high, u)
		}
	}
	if len(points) < leastPoints || high-low < kneeSpan {
		return k, false
	}
	fit, err := usl.Fit(points, usl.Options{Resamples: -1})
	if err != nil || fit.R2 < kneeFit || 1-fit.Efficiency(kneeUnits*high)/fit.Efficiency(kneeUnits*low) < kneeBends {
		return k, false
	}
	return knee{fit.Law, fit.Throughput(min(kneeUnits*Full, fit.Peak()))}, true
}

// limit is what bends the line more where the resource is full.
func (k knee) limit() string {
	if k.law.Kappa*kneeUnits > k.law.Sigma {
		return Coherency
	}
	return Contention
}

// What a resource can be limited by, beside its size.
const (
	Contention = "contention" // what only one can do at a time
	Coherency  = "coherency"  // what each pair of those at work costs
)

func (k knee) evidence() string {
	what := "what is in use waits for each other"
	if k.limit() == Coherency {
		what = "each in use makes all others slower"
	}
	if peak := k.law.Peak(); peak < kneeUnits {
		what += fmt.Sprintf(", beyond %.0f %% more in use reach less", peak)
	}
	return fmt.Sprintf("it bends (USL, σ %.3f, κ %.5f): limited by %s, %s; the knee is at about %.0f/s", k.law.Sigma, k.law.Kappa, k.limit(), what, k.full)
}
