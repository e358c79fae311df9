package admission

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are kept also when nobody registered them.
type metrics struct {
	admitted, shed [classes]prometheus.Counter
	waits          prometheus.Histogram
	early          prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *Limiter) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "stampede", Subsystem: "admission", Name: name, Help: help}
	}
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts(opts("decisions_total",
		"Requests that need the origin, by class and outcome: admitted, or shed because there was no place in time.")), []string{"class", "outcome"})
	m := &metrics{waits: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "stampede", Subsystem: "admission", Name: "wait_seconds",
		Help: "Time that requests waited for a place, of those that had to.", Buckets: []float64{.001, .005, .01, .025, .05, .1, .15, .3, .5, 1}})}
	m.early = prometheus.NewCounter(prometheus.CounterOpts(opts("early_total", "Requests that were refused at once because this process itself lacked processor time; they are among those shed.")))
	for c := range classes {
		m.admitted[c] = decisions.WithLabelValues(c.String(), "admitted")
		m.shed[c] = decisions.WithLabelValues(c.String(), "shed")
	}
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, f func(Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), func() float64 { return f(l.Stats()) })
	}
	for _, c := range []prometheus.Collector{decisions, m.waits, m.early,
		gauge("need", "How much is refused because this process itself lacks processor time: 0 nothing, 1 all pages for newcomers.", func(s Stats) float64 { return s.Need }),
		gauge("limit", "Requests that may be under way at once.", func(s Stats) float64 { return float64(s.Limit) }),
		gauge("in_flight", "Requests under way.", func(s Stats) float64 { return float64(s.InFlight) }),
		gauge("waiting", "Requests that wait for a place.", func(s Stats) (n float64) {
			for _, w := range s.Waiting {
				n += float64(w)
			}
			return n
		}),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("admission: register metrics: %w", err)
		}
	}
	return m, nil
}
