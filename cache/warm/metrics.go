package warm

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a Warmer; they count whether or not anybody collects them.
type metrics struct {
	to    prometheus.Registerer
	all   []prometheus.Collector
	items *prometheus.CounterVec
	runs  *prometheus.CounterVec
	worth *prometheus.CounterVec
}

func newMetrics(w *Warmer, to prometheus.Registerer) (*metrics, error) {
	name := prometheus.Labels{"name": w.o.Name}
	counter := func(what, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "stampede", Subsystem: "warm", Name: what, Help: help, ConstLabels: name}, []string{label})
	}
	m := &metrics{to: to,
		items: counter("items_total", "Items by what became of them.", "outcome"),
		runs:  counter("runs_total", "Runs by how they ended.", "state"),
		worth: counter("effect_total", "What became of warmed items: used, loads (that warming caused), avoided (loads that nobody waited for), late.", "what"),
	}
	m.all = []prometheus.Collector{m.items, m.runs, m.worth}
	gauge := func(what, help string, of func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "stampede", Subsystem: "warm", Name: what, Help: help, ConstLabels: name}, of))
	}
	gauge("planned", "Items of the run under way, or of the last.", func() float64 { return float64(w.Progress().Total) })
	gauge("through", "Of these, so many are through.", func() float64 { return float64(w.Progress().Through) })
	gauge("amount", "Items that a run brings in, as was learnt.", func() float64 { return float64(w.Tuning().Amount) })
	gauge("rate", "Loads a second at most, as was learnt.", func() float64 { return w.Tuning().Rate })
	if to == nil {
		return m, nil
	}
	for i, c := range m.all {
		if err := to.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.to == nil {
		return
	}
	for _, c := range m.all {
		m.to.Unregister(c)
	}
}

func (m *metrics) count(t tally) {
	for outcome, n := range map[string]int{"loaded": t.loaded, "present": t.present, "gone": t.gone, "failed": t.failed, "skipped": t.skipped} {
		m.items.WithLabelValues(outcome).Add(float64(n))
	}
}

func (m *metrics) ended(s State) { m.runs.WithLabelValues(string(s)).Inc() }

func (m *metrics) judged(e Effect) {
	for what, n := range map[string]int{"used": e.Used, "loads": e.Loads, "avoided": e.Avoided, "late": e.Late} {
		m.worth.WithLabelValues(what).Add(float64(n))
	}
}
