package predict

import (
	"math/rand/v2"
	"slices"
)

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x
	}
	return m / float64(max(len(v), 1))
}

// bootstrap is the 95 % interval of the mean of v, by drawing groups of neighbours with replacement; sizes are those of the groups.
// Periods of one day are more alike than others, so they are drawn together. O(resamples × groups).
func bootstrap(v []float64, sizes []int, resamples int, seed uint64) (low, high float64) {
	sums, at := make([]float64, len(sizes)), 0
	for g, n := range sizes {
		for _, x := range v[at : at+n] {
			sums[g] += x
		}
		at += n
	}
	rng := rand.New(rand.NewPCG(seed, 0xb007))
	means := make([]float64, resamples)
	for i := range means {
		sum, n := 0.0, 0
		for range sizes {
			g := rng.IntN(len(sizes))
			sum, n = sum+sums[g], n+sizes[g]
		}
		means[i] = sum / float64(max(n, 1))
	}
	slices.Sort(means)
	at2 := func(q float64) float64 { return means[min(int(q*float64(resamples)), resamples-1)] }
	return at2(0.025), at2(0.975)
}
