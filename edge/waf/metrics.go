package waf

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are kept also when nobody registered them.
type metrics struct {
	requests *prometheus.CounterVec // outcome
	path     *prometheus.CounterVec // path
	seconds  prometheus.Histogram
	matches  *prometheus.CounterVec // rule; bounded by the rule set
	reloads  *prometheus.CounterVec // outcome
	rules    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "stampede", Subsystem: "waf", Name: name, Help: help}
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	m := &metrics{
		requests: counters("requests_total", "Requests inspected, by outcome: passed, detected (objected to, passed on all the same), blocked, unread.", "outcome"),
		path:     counters("inspections_total", "Inspections by path: fast (all parts clean one by one) or whole.", "path"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "stampede", Subsystem: "waf", Name: "inspection_seconds",
			Help:    "Time to inspect a request, its body being read already.",
			Buckets: []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .05, .25, 1}}),
		matches: counters("rule_matches_total", "Rules that found something in requests that were objected to.", "rule"),
		reloads: counters("reloads_total", "Reloads of the rules, by outcome.", "outcome"),
		rules:   prometheus.NewGauge(prometheus.GaugeOpts(opts("rules", "Rules in force."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.path, m.seconds, m.matches, m.reloads, m.rules} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("waf: register metrics: %w", err)
		}
	}
	return m, nil
}
