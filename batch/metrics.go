package batch

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one Batcher; a nil *metrics records nothing.
type metrics struct {
	size, wait, run     prometheus.Observer
	ok, failed, orphans prometheus.Counter
	full                prometheus.Counter
}

func newMetrics(r prometheus.Registerer, name string, log *slog.Logger) *metrics {
	if r == nil {
		return nil
	}
	histogram := func(metric, help string, buckets []float64) prometheus.Observer {
		return register(r, log, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: metric, Help: help, Buckets: buckets},
			[]string{"batch"})).WithLabelValues(name)
	}
	times := prometheus.ExponentialBuckets(0.0001, 2, 16)
	items := register(r, log, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "batch_items_total",
		Help: "Requests by outcome: ok, failed, full (refused); orphan counts those of ok and failed whose caller had gone."},
		[]string{"batch", "outcome"}))
	return &metrics{
		size: histogram("batch_size", "Requests in a batch.", prometheus.ExponentialBuckets(1, 2, 10)),
		wait: histogram("batch_wait_seconds", "Time a request was queued.", times),
		run:  histogram("batch_run_seconds", "Time of one call for a batch or a part of it.", times),
		ok:   items.WithLabelValues(name, "ok"), failed: items.WithLabelValues(name, "failed"),
		orphans: items.WithLabelValues(name, "orphan"), full: items.WithLabelValues(name, "full"),
	}
}

// register returns the collector to use: c, or the one that another Batcher registered before.
func register[C prometheus.Collector](r prometheus.Registerer, log *slog.Logger, c C) C {
	err := r.Register(c)
	if err == nil {
		return c
	}
	if known, ok := err.(prometheus.AlreadyRegisteredError); ok { //nolint:errorlint // that is how it comes
		if same, ok := known.ExistingCollector.(C); ok {
			return same
		}
	}
	log.Warn("batch metrics not registered", "error", err)
	return c
}

func (m *metrics) batch(n int) {
	if m != nil {
		m.size.Observe(float64(n))
	}
}

func (m *metrics) waited(d time.Duration) {
	if m != nil {
		m.wait.Observe(d.Seconds())
	}
}

func (m *metrics) ran(d time.Duration) {
	if m != nil {
		m.run.Observe(d.Seconds())
	}
}

func (m *metrics) refuse() {
	if m != nil {
		m.full.Inc()
	}
}

func (m *metrics) finish(ok, failed, orphans int) {
	if m != nil {
		m.ok.Add(float64(ok))
		m.failed.Add(float64(failed))
		m.orphans.Add(float64(orphans))
	}
}
