package prove

import (
	"math"
	"slices"

	"github.com/stampede-shop/stampede/usl"
)

// student97 are the 97.5th percentiles of Student's t with 1, 2, 3 … degrees of freedom.
var student97 = [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120}

// student is the 97.5th percentile of Student's t; of more degrees of freedom than are listed, by the first terms of its expansion around the
// normal distribution (Abramowitz and Stegun 26.7.5), which is within a thousandth there.
func student(free int) float64 {
	if free <= len(student97) {
		return student97[free-1]
	}
	const z = 1.959964
	const z3, z5 = z * z * z, z * z * z * z * z
	n := float64(free)
	return z + (z3+z)/(4*n) + (5*z5+16*z3+3*z)/(96*n*n)
}

// ratio is the rate of eight over eight times that of one as it was measured, without a law, and the interval that holds it with 95 %
// certainty. Every repeat measures every number once, so that what changes from one repeat to the next (what the caches hold, what else the
// machine does) is the same for all of them, and falls out: logarithms of rates, since they scatter by factors, are taken for the sum of
// something of the number, something of the repeat, and chance (randomised complete blocks; t interval). Of one repeat nothing is certain.
func (s *Scaling) ratio() (mean float64, between *usl.Interval) {
	repeats := len(s.Points) / len(sizes)
	blocks := s.blocks(repeats)
	if blocks == nil {
		return 0, nil
	}
	const last = len(sizes) - 1
	var ofSize [len(sizes)]float64
	for _, b := range blocks {
		for i, v := range b {
			ofSize[i] += v / float64(repeats)
		}
	}
	all := meanOf(ofSize[:])
	var squares float64
	for _, b := range blocks {
		own := meanOf(b[:])
		for i, v := range b {
			off := v - ofSize[i] - own + all
			squares += off * off
		}
	}
	mean = math.Exp(ofSize[last] - ofSize[0])
	free := (repeats - 1) * last
	if free == 0 {
		return mean, nil
	}
	reach := student(free) * math.Sqrt(squares/float64(free)*2/float64(repeats))
	return mean, &usl.Interval{Low: mean * math.Exp(-reach), High: mean * math.Exp(reach)}
}

// blocks are the logarithms of what each of so many instances did, by repeat and in the order of sizes; nil when there are not all.
func (s *Scaling) blocks(repeats int) [][len(sizes)]float64 {
	var all [][len(sizes)]float64
	for r := range repeats {
		var block [len(sizes)]float64
		for i, n := range sizes {
			points := s.Points[r*len(sizes) : (r+1)*len(sizes)]
			at := slices.IndexFunc(points, func(p usl.Point) bool { return int(p.N) == n && p.Throughput > 0 })
			if at < 0 {
				return nil
			}
			block[i] = math.Log(points[at].Throughput / float64(n))
		}
		all = append(all, block)
	}
	return all
}

func meanOf(list []float64) (mean float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	return mean
}
