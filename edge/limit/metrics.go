package limit

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type counter = prometheus.Counter

type metrics struct {
	decisions *prometheus.CounterVec // class, outcome
}

func newMetrics(reg prometheus.Registerer, l *Limiter) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "stampede", Subsystem: "limit", Name: name, Help: help}
	}
	m := &metrics{decisions: prometheus.NewCounterVec(prometheus.CounterOpts(opts("decisions_total",
		"Requests by class and outcome: admitted, or what they were too many of, address or session.")), []string{"class", "outcome"})}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.decisions,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("busy_clients", "Clients whose buckets are not full.")),
			func() float64 { return float64(l.table.busy(int64(time.Since(l.start)))) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts(opts("evictions_total", "Busy clients that lost their place in the table to others: make it larger if this grows.")),
			func() float64 { return float64(l.table.evictions.Load()) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("limit: register metrics: %w", err)
		}
	}
	return m, nil
}
