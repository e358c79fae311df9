package loadsim

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf draws ranks: the k-th, counted from 1, with a probability proportional to 1/k^s. It holds the sums up to each rank.
type zipf []float64

func newZipf(n int, s float64) zipf {
	z := make(zipf, n)
	sum := 0.0
	for i := range z {
		sum += math.Pow(float64(i+1), -s)
		z[i] = sum
	}
	return z
}

// draw gives an index below n, 1 ≤ n, the first ones more often. Beyond the length of z none is drawn. It takes
// logarithmic time.
func (z zipf) draw(rng *rand.Rand, n int) int {
	n = min(n, len(z))
	return min(sort.SearchFloat64s(z[:n], rng.Float64()*z[n-1]), n-1)
}

// place draws from a list that is looked at from the top.
var place = newZipf(1000, 1)
