package dashboard

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Family is the series of one metric of a process, as they stand. Names of labels and bounds of histograms are the same for all of
// them, and cross to the collector once.
type Family struct {
	Name   string    `json:"n"`
	Labels []string  `json:"l,omitempty"`
	Bounds []float64 `json:"b,omitempty"` // of a histogram
	Series []Series  `json:"s"`
}

// Series is one of a family: a counter or gauge, or a histogram with its counts of observations at or below each bound.
type Series struct {
	Labels []string `json:"l,omitempty"` // values, in the order of the family's names
	Value  float64  `json:"v,omitempty"`
	Count  uint64   `json:"c,omitempty"`
	Sum    float64  `json:"s,omitempty"`
	Counts []uint64 `json:"k,omitempty"`
}

// Label is the value that a series has of a label.
func (f *Family) Label(s *Series, name string) string {
	for i, n := range f.Labels {
		if n == name && i < len(s.Labels) {
			return s.Labels[i]
		}
	}
	return ""
}

// Export takes from a registry what the dashboard shows; the rest, most of it, does not cross to the collector. Series that
// have counted nothing are left out.
func Export(g prometheus.Gatherer) ([]Family, error) {
	families, err := g.Gather()
	if err != nil && len(families) == 0 {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var out []Family
	for _, f := range families {
		if !wanted[f.GetName()] || len(f.GetMetric()) == 0 {
			continue
		}
		if x := family(f); len(x.Series) > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

func family(f *dto.MetricFamily) Family {
	x := Family{Name: f.GetName()}
	first := f.GetMetric()[0]
	for _, l := range first.GetLabel() {
		x.Labels = append(x.Labels, l.GetName())
	}
	for _, b := range first.GetHistogram().GetBucket() {
		x.Bounds = append(x.Bounds, b.GetUpperBound())
	}
	for _, m := range f.GetMetric() {
		s := series(m)
		if s.Value != 0 || s.Count > 0 || f.GetType() == dto.MetricType_GAUGE {
			x.Series = append(x.Series, s)
		}
	}
	return x
}

func series(m *dto.Metric) Series {
	var s Series
	for _, l := range m.GetLabel() {
		s.Labels = append(s.Labels, l.GetValue())
	}
	switch {
	case m.Counter != nil:
		s.Value = m.Counter.GetValue()
	case m.Gauge != nil:
		s.Value = m.Gauge.GetValue()
	case m.Summary != nil:
		s.Count, s.Sum = m.Summary.GetSampleCount(), m.Summary.GetSampleSum()
	case m.Histogram != nil:
		s.Count, s.Sum = m.Histogram.GetSampleCount(), m.Histogram.GetSampleSum()
		for _, b := range m.Histogram.GetBucket() {
			s.Counts = append(s.Counts, b.GetCumulativeCount())
		}
	}
	return s
}
