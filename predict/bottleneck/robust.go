package bottleneck

import (
	"math"
	"slices"
)

// line is a trend: value at x is level + slope × x, x being seconds before (negative) the last point, so that level is the value now.
type line struct {
	level, slope float64
	low, high    float64 // of the slope: 95 %
	n            int
}

// significant tells whether the line rises, beyond what noise explains.
func (l line) significant() bool { return l.low > 0 }

// theilSen is the median of the slopes of all pairs; its interval is that of Kendall's rank correlation (Sen, 1968). O(n² log n).
func theilSen(x, y []float64) line {
	n := len(x)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := i + 1; j < n; j++ {
			if x[j] != x[i] {
				slopes = append(slopes, (y[j]-y[i])/(x[j]-x[i]))
			}
		}
	}
	if len(slopes) == 0 {
		return line{n: n}
	}
	slices.Sort(slopes)
	c := 1.96 * math.Sqrt(float64(n*(n-1)*(2*n+5))/18)
	at := func(rank float64) float64 { return slopes[min(max(int(math.Round(rank)), 0), len(slopes)-1)] }
	l := line{slope: median(slopes), low: at((float64(len(slopes)) - c) / 2), high: at((float64(len(slopes)) + c) / 2), n: n}
	rest := make([]float64, n)
	for i := range rest {
		rest[i] = y[i] - l.slope*x[i]
	}
	slices.Sort(rest)
	l.level = median(rest)
	return l
}

// median of what is sorted.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medianOf sorts a copy.
func medianOf(v []float64) float64 { return median(slices.Sorted(slices.Values(v))) }

// residuals is the sum of absolute distances from a line.
func (l line) residuals(x, y []float64) (sum float64) {
	for i := range x {
		sum += math.Abs(y[i] - l.level - l.slope*x[i])
	}
	return sum
}

// step finds where y changed at a stroke: a step explains it much better than the line does. 0 when nowhere. O(n²) in the worst case.
func step(x, y []float64, l line) int {
	const least = 4 // points on either side
	at, best := 0, l.residuals(x, y)*0.6
	for i := least; i <= len(y)-least; i++ {
		a, b := medianOf(y[:i]), medianOf(y[i:])
		sum := 0.0
		for j, v := range y {
			if j < i {
				sum += math.Abs(v - a)
			} else {
				sum += math.Abs(v - b)
			}
		}
		if sum < best && math.Abs(b-a) > 0.03 {
			at, best = i, sum
		}
	}
	return at
}

// watcher notices values that lie far off and levels that shift, one value after the other.
type watcher struct {
	n          int
	mean, dev  float64 // exponentially weighted; dev of absolute distances, clipped so that one wild value changes little
	up, down   float64 // CUSUM
	z          float64 // of the last value
	shift      float64 // of the last shift found: by how many deviations; 0: none
	shiftSince int
}

const (
	watchWarm  = 20 // values before anything is noticed
	watchAlpha = 0.05
	cusumDrift = 0.5
	cusumLimit = 8.0
	farOff     = 6.0 // robust z from which a value is an anomaly
)

func (w *watcher) add(v float64) {
	w.n++
	if w.n == 1 {
		w.mean, w.dev = v, 0.01
		return
	}
	sigma := max(1.25*w.dev, 1e-4)
	w.z = (v - w.mean) / sigma
	clipped := max(min(w.z, 3), -3)
	if w.n > watchWarm {
		w.up, w.down = max(0, w.up+clipped-cusumDrift), max(0, w.down-clipped-cusumDrift)
		w.shiftSince++
		if w.up > cusumLimit || w.down > cusumLimit {
			w.shift, w.shiftSince = w.up-w.down, 0
			w.up, w.down = 0, 0
		}
	}
	w.mean += watchAlpha * clipped * sigma
	w.dev += watchAlpha * (min(math.Abs(v-w.mean), 4*sigma) - w.dev)
}

// anomalous tells whether the last value lies far off.
func (w *watcher) anomalous() bool { return w.n > watchWarm && math.Abs(w.z) > farOff }

// shifted tells whether a level shifted upwards within the last n values.
func (w *watcher) shifted(n int) bool { return w.shift > 0 && w.shiftSince <= n }
