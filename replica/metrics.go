package replica

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector reads a Set's state when it is scraped.
type collector struct {
	s       *Set
	figures []figure
}

// figure is one metric of each node.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(Status) float64
}

func newCollector(s *Set) *collector {
	c := &collector{s: s}
	add := func(name, help string, kind prometheus.ValueType, of func(Status) float64) {
		c.figures = append(c.figures, figure{prometheus.NewDesc("stampede_replica_"+name, help, []string{"node"},
			prometheus.Labels{"set": s.o.Name}), kind, of})
	}
	add("healthy", "1 when the node is in use.", prometheus.GaugeValue, func(st Status) float64 {
		if st.Healthy {
			return 1
		}
		return 0
	})
	add("lag_bytes", "Bytes of log the node has yet to replay.", prometheus.GaugeValue,
		func(st Status) float64 { return float64(st.LagBytes) })
	add("lag_seconds", "For how long the node has been behind the primary.", prometheus.GaugeValue,
		func(st Status) float64 { return st.Lag.Seconds() })
	add("in_flight", "Reads running on the node.", prometheus.GaugeValue,
		func(st Status) float64 { return float64(st.InFlight) })
	add("latency_seconds", "Smoothed time of a read on the node.", prometheus.GaugeValue,
		func(st Status) float64 { return st.Latency.Seconds() })
	add("reads_total", "Reads run on the node.", prometheus.CounterValue,
		func(st Status) float64 { return float64(st.Reads) })
	add("failures_total", "Reads repeated elsewhere because the node failed.", prometheus.CounterValue,
		func(st Status) float64 { return float64(st.Failures) })
	return c
}

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.figures {
		ch <- f.desc
	}
}

// Collect sends one value of each metric for each node.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, st := range c.s.Status() {
		for _, f := range c.figures {
			ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(st), st.Name)
		}
	}
}
