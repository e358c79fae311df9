package shard

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of scatter-gather calls; a nil *metrics records nothing.
type metrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newMetrics(o Options) *metrics {
	if o.Registerer == nil {
		return nil
	}
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stampede_shard_fanout_seconds", Help: "Time one shard took for its part of a call to all shards.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"shard"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stampede_shard_fanout_failures_total", Help: "Parts of calls to all shards that failed.",
		}, []string{"shard"}),
	}
	for _, c := range []prometheus.Collector{m.seconds, m.failures} {
		if err := o.Registerer.Register(c); err != nil && o.Logger != nil {
			o.Logger.Warn("shard metrics not registered", "error", err)
		}
	}
	return m
}

func (m *metrics) observe(shard string, d time.Duration, err error) {
	if m == nil {
		return
	}
	m.seconds.WithLabelValues(shard).Observe(d.Seconds())
	if err != nil {
		m.failures.WithLabelValues(shard).Inc()
	}
}
