package usl

import (
	"math"
	"math/rand/v2"
)

// Parameters by their place in a vector.
const (
	lambda = iota
	sigma
	kappa
	params
)

type vector [params]float64

func (v vector) law() Law { return Law{v[lambda], v[sigma], v[kappa]} }

// solver fits laws to points of the same n.
type solver struct {
	points   []Point
	weight   []float64 // of each point's error
	relative bool
}

func newSolver(points []Point, relative bool) *solver {
	s := &solver{points: points, weight: make([]float64, len(points)), relative: relative}
	for i, p := range points {
		s.weight[i] = 1
		if relative {
			s.weight[i] = 1 / p.Throughput
		}
	}
	return s
}

// best tries each choice of parameters held at zero: the least squares under σ, κ ≥ 0 are those of one of them.
func (s *solver) best() (law Law, sse float64) {
	sse = math.Inf(1)
	for _, free := range [][]int{{lambda}, {lambda, sigma}, {lambda, kappa}, {lambda, sigma, kappa}} {
		v, err := s.descend(s.parabola(free), free)
		if v[sigma] >= 0 && v[kappa] >= 0 && v[lambda] > 0 && err < sse {
			law, sse = v.law(), err
		}
	}
	return law, sse
}

// parabola is where the descent begins: n/X is linear in 1/λ, σ/λ and κ/λ.
func (s *solver) parabola(free []int) vector {
	var m [params][params]float64
	var y vector
	for i, p := range s.points {
		row := vector{1, p.N - 1, p.N * (p.N - 1)}
		w := s.weight[i] * p.Throughput * p.Throughput / p.N // what an error of X makes of n/X
		for _, a := range free {
			y[a] += w * w * row[a] * p.N / p.Throughput
			for _, b := range free {
				m[a][b] += w * w * row[a] * row[b]
			}
		}
	}
	v := solve(m, y, free)
	if !(v[lambda] > 0) || math.IsInf(v[lambda], 1) {
		return vector{lambda: s.points[0].Throughput / s.points[0].N}
	}
	return vector{1 / v[lambda], v[sigma] / v[lambda], v[kappa] / v[lambda]}
}

const (
	mostSteps = 200
	settled   = 1e-12 // relative gain of a step that ends the descent
)

// descend takes Levenberg–Marquardt steps over the free parameters until they gain nothing.
func (s *solver) descend(v vector, free []int) (vector, float64) {
	err, damp := s.squares(v), 1e-3
	for range mostSteps {
		m, g := s.normal(v, free)
		damped := m
		for _, a := range free {
			damped[a][a] += damp * max(m[a][a], 1e-30)
		}
		step := solve(damped, g, free)
		next := v
		for _, a := range free {
			next[a] -= step[a]
		}
		after := s.squares(next)
		switch {
		case after <= err:
			gain := err - after
			v, err, damp = next, after, max(damp/10, 1e-12)
			if gain <= settled*err {
				return v, err
			}
		case damp > 1e12:
			return v, err
		default:
			damp *= 10
		}
	}
	return v, err
}

// squares is the sum of the weighted squared errors; infinite where the law makes no sense.
func (s *solver) squares(v vector) (sum float64) {
	l := v.law()
	for i, p := range s.points {
		if !(l.load(p.N) > 0) || !(l.Lambda > 0) {
			return math.Inf(1)
		}
		e := s.weight[i] * (l.Throughput(p.N) - p.Throughput)
		sum += e * e
	}
	return sum
}

// normal are the normal equations of a Gauss–Newton step: the Jacobian's square, and the gradient.
func (s *solver) normal(v vector, free []int) (m [params][params]float64, g vector) {
	l := v.law()
	for i, p := range s.points {
		load, x := l.load(p.N), l.Throughput(p.N)
		d := vector{p.N / load, -x * (p.N - 1) / load, -x * p.N * (p.N - 1) / load}
		w := s.weight[i]
		for _, a := range free {
			g[a] += w * w * d[a] * (x - p.Throughput)
			for _, b := range free {
				m[a][b] += w * w * d[a] * d[b]
			}
		}
	}
	return m, g
}

// solve is Gaussian elimination with pivots over the free parameters; the others are zero, and so is what cannot be told.
func solve(m [params][params]float64, y vector, free []int) (v vector) {
	// Scaled to a diagonal of ones, since λ may be a million times κ and more.
	var scale vector
	for _, a := range free {
		if scale[a] = math.Sqrt(m[a][a]); scale[a] == 0 {
			scale[a] = 1
		}
	}
	n := len(free)
	var rows [params][params + 1]float64
	for i, a := range free {
		for j, b := range free {
			rows[i][j] = m[a][b] / scale[a] / scale[b]
		}
		rows[i][n] = y[a] / scale[a]
	}
	for c := range n {
		p := c
		for i := c + 1; i < n; i++ {
			if math.Abs(rows[i][c]) > math.Abs(rows[p][c]) {
				p = i
			}
		}
		rows[c], rows[p] = rows[p], rows[c]
		if math.Abs(rows[c][c]) < 1e-15 {
			return vector{}
		}
		for i := range n {
			if f := rows[i][c] / rows[c][c]; i != c {
				for j := c; j <= n; j++ {
					rows[i][j] -= f * rows[c][j]
				}
			}
		}
	}
	for i, a := range free {
		v[a] = rows[i][n] / rows[i][i] / scale[a]
	}
	return v
}

func (s *solver) r2(sse float64) float64 {
	var sum, weights, total float64
	for i, p := range s.points {
		w := s.weight[i] * s.weight[i]
		sum, weights = sum+w*p.Throughput, weights+w
	}
	for i, p := range s.points {
		e := s.weight[i] * (p.Throughput - sum/weights)
		total += e * e
	}
	if total == 0 {
		return 0
	}
	return 1 - sse/total
}

// bootstrap fits the law again and again to itself with other residuals. What the fit took out of them is put back.
func (s *solver) bootstrap(l Law, o Options) (laws []Law) {
	m := len(s.points)
	if m <= params {
		return nil // three points lie on the law: they say nothing of how they scatter
	}
	residuals := make([]float64, m)
	widen := math.Sqrt(float64(m) / float64(m-params))
	for i, p := range s.points {
		residuals[i] = widen * s.weight[i] * (p.Throughput - l.Throughput(p.N))
	}
	rng := rand.New(rand.NewPCG(o.Seed, uint64(m)))
	points := make([]Point, m)
	for range o.Resamples {
		for i, p := range s.points {
			x := l.Throughput(p.N)
			if s.relative {
				x *= 1 + residuals[rng.IntN(m)]
			} else {
				x += residuals[rng.IntN(m)]
			}
			points[i] = Point{p.N, max(x, l.Throughput(p.N)/1000)}
		}
		law, _ := newSolver(points, s.relative).best()
		laws = append(laws, law)
	}
	return laws
}
