package waitroom

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	told prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, q *Rooms) (*metrics, error) {
	m := &metrics{told: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "stampede", Subsystem: "waitroom", Name: "told_total",
		Help: "Requests that were answered with a place instead of what they asked for."})}
	if reg == nil {
		return m, nil
	}
	if err := reg.Register(m.told); err != nil {
		return nil, fmt.Errorf("waitroom: register metrics: %w", err)
	}
	for i, r := range q.list {
		for name, f := range map[string]func(Status) float64{
			"waiting":  func(s Status) float64 { return float64(s.Waiting) },
			"admitted": func(s Status) float64 { return float64(s.Admitted) },
			"rate":     func(s Status) float64 { return s.Rate },
		} {
			err := reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "stampede", Subsystem: "waitroom", Name: name,
				Help: "The queue of a room: who waits, who was admitted, admissions a second.", ConstLabels: prometheus.Labels{"room": r.Name}},
				func() float64 { return f(q.Status()[i]) }))
			if err != nil {
				return nil, fmt.Errorf("waitroom: register metrics: %w", err)
			}
		}
	}
	return m, nil
}
