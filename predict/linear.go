package predict

import "math"

// linear is a logistic regression that learns one example after the other: FTRL-Proximal, per coordinate (McMahan et al., 2013).
type linear struct {
	Z, N []float64
}

const (
	ftrlAlpha = 0.08
	ftrlBeta  = 1
	ftrlL1    = 0.5
	ftrlL2    = 1
)

func newLinear(features int) *linear {
	return &linear{make([]float64, features), make([]float64, features)}
}

func (l *linear) weight(i int) float64 {
	z := l.Z[i]
	if math.Abs(z) <= ftrlL1 {
		return 0
	}
	return -(z - math.Copysign(ftrlL1, z)) / ((ftrlBeta+math.Sqrt(l.N[i]))/ftrlAlpha + ftrlL2)
}

// weights for many predictions in a row.
func (l *linear) weights() []float64 {
	w := make([]float64, len(l.Z))
	for i := range w {
		w[i] = l.weight(i)
	}
	return w
}

func dot(w, x []float64) (sum float64) {
	for i, v := range x {
		sum += w[i] * v
	}
	return sum
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// learn takes in one example whose target is y, in 0…1. O(features).
func (l *linear) learn(x []float64, y float64) {
	sum := 0.0
	for i, v := range x {
		if v != 0 {
			sum += l.weight(i) * v
		}
	}
	g := sigmoid(sum) - y
	for i, v := range x {
		if v == 0 {
			continue
		}
		gi := g * v
		sigma := (math.Sqrt(l.N[i]+gi*gi) - math.Sqrt(l.N[i])) / ftrlAlpha
		l.Z[i] += gi - sigma*l.weight(i)
		l.N[i] += gi * gi
	}
}
