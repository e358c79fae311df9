package compare

import (
	"math"

	"github.com/stampede-shop/stampede/loadsim"
)

// metric is a figure of a run: exactly in each report, and as any sample of slices has it.
type metric struct {
	name, step   string
	a, b         float64
	of           func(sample) float64
	moreIsBetter bool
	absolute     bool // the difference counts, not the ratio: of shares that may be zero
}

// change of b against a; NaN when there is nothing to compare.
func (m metric) change(a, b float64) float64 {
	if m.absolute {
		return b - a
	}
	if a <= 0 || b <= 0 {
		return math.NaN()
	}
	return b/a - 1
}

// throughput is a metric that says as much about what was asked as about who answered.
const throughput = "throughput"

// metricsOf are the figures that both reports have.
func metricsOf(a, b *loadsim.Report) []metric {
	all := []metric{
		{
			name: throughput, a: a.Summary.Throughput, b: b.Summary.Throughput, moreIsBetter: true,
			of: func(s sample) float64 { return s.requests / s.seconds },
		},
		{
			name: "error_rate", a: errorRate(a), b: errorRate(b), absolute: true,
			of: func(s sample) float64 { return s.errors / math.Max(s.requests, 1) },
		},
	}
	for i, step := range append(loadsim.Steps(), "all") {
		x, y := a.ResponseTimes[step], b.ResponseTimes[step]
		if x.Count == 0 || y.Count == 0 {
			continue
		}
		all = append(all,
			metric{name: "avg", step: step, a: x.Avg, b: y.Avg, of: func(s sample) float64 { return s.average(i) }},
			metric{name: "p50", step: step, a: x.P50, b: y.P50, of: func(s sample) float64 { return s.quantile(i, 0.50) }},
			metric{name: "p95", step: step, a: x.P95, b: y.P95, of: func(s sample) float64 { return s.quantile(i, 0.95) }},
			metric{name: "p99", step: step, a: x.P99, b: y.P99, of: func(s sample) float64 { return s.quantile(i, 0.99) }})
	}
	return all
}

func errorRate(r *loadsim.Report) float64 {
	return float64(r.Summary.Failed) / math.Max(float64(r.Summary.TotalRequests), 1)
}
