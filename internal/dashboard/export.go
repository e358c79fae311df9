package dashboard

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metric is one series of a process, as it stands.
type Metric struct {
	Name   string            `json:"n"`
	Labels map[string]string `json:"l,omitempty"`
	Value  float64           `json:"v,omitempty"` // of a counter or gauge
	Hist   *Hist             `json:"h,omitempty"`
}

// Hist is a histogram: counts of observations not above each bound, as Prometheus accumulates them.
type Hist struct {
	Count  uint64    `json:"c"`
	Sum    float64   `json:"s"`
	Bounds []float64 `json:"b"`
	Counts []uint64  `json:"k"` // at or below the bound of the same place; what is above all is in Count
}

// Export takes from a registry what the dashboard shows; the rest, most of it, does not cross to the collector. Series that
// have counted nothing are left out.
func Export(g prometheus.Gatherer) ([]Metric, error) {
	families, err := g.Gather()
	if err != nil && len(families) == 0 {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var out []Metric
	for _, f := range families {
		if !wanted[f.GetName()] {
			continue
		}
		for _, m := range f.GetMetric() {
			if x := metric(f.GetName(), m); x.Value != 0 || x.Hist != nil && x.Hist.Count > 0 || f.GetType() == dto.MetricType_GAUGE {
				out = append(out, x)
			}
		}
	}
	return out, nil
}

func metric(name string, m *dto.Metric) Metric {
	x := Metric{Name: name, Labels: map[string]string{}}
	for _, l := range m.GetLabel() {
		x.Labels[l.GetName()] = l.GetValue()
	}
	switch {
	case m.Counter != nil:
		x.Value = m.Counter.GetValue()
	case m.Gauge != nil:
		x.Value = m.Gauge.GetValue()
	case m.Histogram != nil:
		h := m.Histogram
		x.Hist = &Hist{Count: h.GetSampleCount(), Sum: h.GetSampleSum()}
		for _, b := range h.GetBucket() {
			x.Hist.Bounds = append(x.Hist.Bounds, b.GetUpperBound())
			x.Hist.Counts = append(x.Hist.Counts, b.GetCumulativeCount())
		}
	}
	return x
}
