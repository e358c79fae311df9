package usl

import "math"

// Law is the Universal Scalability Law with its three parameters.
type Law struct {
	Lambda float64 `json:"lambda"` // throughput of one instance alone
	Sigma  float64 `json:"sigma"`  // contention
	Kappa  float64 `json:"kappa"`  // coherency
}

// Throughput is what n instances reach together, in λ's unit.
func (l Law) Throughput(n float64) float64 { return l.Lambda * n / l.load(n) }

// Efficiency is the share of n times one instance's throughput that n of them reach.
func (l Law) Efficiency(n float64) float64 { return 1 / l.load(n) }

// Speedup is how many times one instance's throughput n of them reach.
func (l Law) Speedup(n float64) float64 { return n / l.load(n) }

// load is how many times as long as alone each does for its work.
func (l Law) load(n float64) float64 { return 1 + l.Sigma*(n-1) + l.Kappa*n*(n-1) }

// Peak is the number of instances beyond which more reach less; infinite where there is none.
func (l Law) Peak() float64 {
	switch {
	case l.Kappa <= 0 && l.Sigma <= 1:
		return math.Inf(1)
	case l.Sigma >= 1:
		return 1
	}
	return max(1, math.Sqrt((1-l.Sigma)/l.Kappa))
}

// Limit is the most throughput that any number of instances reaches; infinite where there is none.
func (l Law) Limit() float64 {
	switch n := l.Peak(); {
	case !math.IsInf(n, 1):
		return l.Throughput(n)
	case l.Sigma > 0:
		return l.Lambda / l.Sigma
	}
	return math.Inf(1)
}

// Needed is the least number of whole instances that reach a throughput; false when none does.
func (l Law) Needed(throughput float64) (n int, ok bool) {
	if throughput <= 0 {
		return 0, true
	}
	if throughput > l.Limit() || l.Lambda <= 0 {
		return 0, false
	}
	// The smaller root of κX n² + (σX − κX − λ) n + (1 − σ)X = 0.
	a := l.Kappa * throughput
	b := l.Sigma*throughput - a - l.Lambda
	c := (1 - l.Sigma) * throughput
	root := -c / b
	if a > 0 {
		root = 2 * c / (-b + math.Sqrt(max(0, b*b-4*a*c)))
	}
	if !(root > 0) || root > math.MaxInt32 {
		root = 1
	}
	n = max(1, int(math.Floor(root)))
	for l.Throughput(float64(n)) < throughput { // by one at most, or by what rounding took
		if n++; float64(n) > root+2 {
			return 0, false // it is reached between two whole numbers only
		}
	}
	return n, true
}
