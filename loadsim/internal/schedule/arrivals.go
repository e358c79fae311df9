package schedule

import (
	"math/rand/v2"
	"time"
)

// Options say how arrivals follow from a curve of rates.
type Options struct {
	Poisson bool   // as of people who know nothing of each other; else evenly spaced
	Seed    uint64 // of Poisson arrivals
	// Part of Parts: every Parts-th arrival, beginning with number Part. The parts together are exactly the whole. Parts 0
	// is 1.
	Part, Parts int
}

// Arrivals are moments, counted from the beginning of the curve, in order.
type Arrivals struct {
	curve Curve
	o     Options
	rng   *rand.Rand
	area  float64 // below the curve up to the arrival considered last
	n     int
}

// Arrivals begins to walk over the curve's arrivals. Evenly spaced ones are Area() rounded to a whole number; each stands
// in the middle of its share of the curve.
func (c Curve) Arrivals(o Options) *Arrivals {
	o.Parts = max(o.Parts, 1)
	a := &Arrivals{curve: c, o: o, area: -0.5}
	if o.Poisson {
		a.area, a.rng = 0, rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))
	}
	return a
}

// Next is the next arrival; false when there is none.
func (a *Arrivals) Next() (time.Duration, bool) {
	for {
		if a.rng != nil {
			a.area += a.rng.ExpFloat64()
		} else {
			a.area++ // exact up to 2⁵²
		}
		if a.area >= a.curve.Area() {
			return 0, false
		}
		n := a.n
		a.n++
		if n%a.o.Parts == a.o.Part {
			return a.curve.when(a.area), true
		}
	}
}
