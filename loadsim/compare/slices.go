package compare

import (
	"math"
	"math/rand/v2"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// sample adds up slices of time. times has an entry for each step, and one for all of them.
type sample struct {
	seconds, requests, errors float64
	times                     []counts
}

// counts are how many response times are in each bucket.
type counts []float64

var steps = len(loadsim.Steps()) + 1

// cut makes slices of about equal length of a time series, without a short rest at its end.
func cut(points []loadsim.Point) (out []sample) {
	if n := len(points); n > 1 && points[n-1].Seconds < points[n-2].Seconds/2 {
		points = points[:n-1]
	}
	each := (len(points) + maxSlices - 1) / maxSlices
	for i := 0; each > 0 && i+each <= len(points); i += each {
		p := points[i]
		for _, next := range points[i+1 : i+each] {
			p = p.Join(next)
		}
		out = append(out, sampleOf(p))
	}
	return out
}

func sampleOf(p loadsim.Point) sample {
	s := sample{seconds: p.Seconds, requests: float64(p.Requests), errors: float64(p.Errors), times: make([]counts, steps)}
	for i, step := range loadsim.Steps() {
		s.times[i] = dense(p.Steps[step].Times)
	}
	s.times[steps-1] = dense(p.All())
	return s
}

func dense(times buckets.Sparse) counts {
	if len(times) == 0 {
		return nil
	}
	c := make(counts, times[len(times)-1].Index+1)
	for _, b := range times {
		c[b.Index] = float64(b.N)
	}
	return c
}

// add adds another slice.
func (s *sample) add(o sample) {
	s.seconds += o.seconds
	s.requests += o.requests
	s.errors += o.errors
	for i, c := range o.times {
		if len(s.times[i]) < len(c) {
			s.times[i] = append(s.times[i], make(counts, len(c)-len(s.times[i]))...)
		}
		for j, n := range c {
			s.times[i][j] += n
		}
	}
}

func sumOf(all []sample) sample {
	sum := sample{times: make([]counts, steps)}
	for _, s := range all {
		sum.add(s)
	}
	return sum
}

// block is how many neighbouring slices are drawn together: the cube root of their number, as is usual.
func block(n int) int { return int(math.Ceil(math.Cbrt(float64(n)))) }

// resample draws as many slices as there are, in blocks of neighbours, with replacement.
func resample(all []sample, rng *rand.Rand) sample {
	sum := sample{times: make([]counts, steps)}
	length := block(len(all))
	for drawn := 0; drawn < len(all); {
		from := rng.IntN(len(all) - length + 1)
		for _, s := range all[from : from+min(length, len(all)-drawn)] {
			sum.add(s)
			drawn++
		}
	}
	return sum
}

func (s sample) average(step int) float64 {
	n, sum := 0.0, 0.0
	for i, c := range s.times[step] {
		low, high := buckets.Bounds(i)
		n += c
		sum += c * (low + high) / 2
	}
	return sum / n
}

func (s sample) quantile(step int, q float64) float64 {
	n := 0.0
	for _, c := range s.times[step] {
		n += c
	}
	rank := q * n
	for i, c := range s.times[step] {
		if rank > c {
			rank -= c
			continue
		}
		if c > 0 {
			low, high := buckets.Bounds(i)
			return low + (high-low)*rank/c
		}
	}
	return math.NaN()
}
