package loadsim

import (
	"math/rand/v2"
	"sort"
)

// harmonic[i] is 1 + 1/2 + … + 1/(i+1).
var harmonic = func() []float64 {
	h := make([]float64, maxSeen)
	sum := 0.0
	for i := range h {
		sum += 1 / float64(i+1)
		h[i] = sum
	}
	return h
}()

// zipf draws an index below n, 1 ≤ n: the k-th with a probability proportional to 1/k. Beyond maxSeen none is drawn.
func zipf(rng *rand.Rand, n int) int {
	n = min(n, len(harmonic))
	return min(sort.SearchFloat64s(harmonic[:n], rng.Float64()*harmonic[n-1]), n-1)
}
