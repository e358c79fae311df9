package replica

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are events of a whole Group.
type counts struct {
	tokenWaited, tokenPrimary, failovers, writeRetries, unknown atomic.Uint64
}

// collector reads a Group's state when it is scraped.
type collector struct {
	g      *Group
	nodes  []nodeFigure
	totals []totalFigure
}

type nodeFigure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(Status) float64
}

type totalFigure struct {
	desc *prometheus.Desc
	of   func() uint64
}

const metricPrefix = "stampede_replica_"

func newCollector(g *Group) *collector {
	c := &collector{g: g}
	set := prometheus.Labels{"set": g.o.Name}
	node := func(name, help string, kind prometheus.ValueType, of func(Status) float64) {
		c.nodes = append(c.nodes, nodeFigure{prometheus.NewDesc(metricPrefix+name, help, []string{"node"}, set), kind, of})
	}
	total := func(name, help string, of func() uint64) {
		c.totals = append(c.totals, totalFigure{prometheus.NewDesc(metricPrefix+name, help, nil, set), of})
	}
	node("healthy", "1 when the node is in use.", prometheus.GaugeValue, func(st Status) float64 {
		if st.Healthy {
			return 1
		}
		return 0
	})
	node("lag_bytes", "Bytes of log the node has yet to replay.", prometheus.GaugeValue,
		func(st Status) float64 { return float64(st.LagBytes) })
	node("lag_seconds", "For how long the node has been behind the primary.", prometheus.GaugeValue,
		func(st Status) float64 { return st.Lag.Seconds() })
	node("in_flight", "Reads running on the node.", prometheus.GaugeValue,
		func(st Status) float64 { return float64(st.InFlight) })
	node("latency_seconds", "Smoothed time of a read on the node.", prometheus.GaugeValue,
		func(st Status) float64 { return st.Latency.Seconds() })
	node("timeline", "Timeline of the node; it grows by one with each failover.", prometheus.GaugeValue,
		func(st Status) float64 { return float64(st.Timeline) })
	node("reads_total", "Reads run on the node.", prometheus.CounterValue,
		func(st Status) float64 { return float64(st.Reads) })
	node("failures_total", "Reads repeated elsewhere because the node failed.", prometheus.CounterValue,
		func(st Status) float64 { return float64(st.Failures) })
	total("waited_total", "Reads that waited a moment for a replica to replay what they had to see.", g.counts.tokenWaited.Load)
	total("sent_on_total", "Reads sent to the primary because no replica had replayed what they had to see.", g.counts.tokenPrimary.Load)
	total("failovers_total", "New timelines that were followed.", g.counts.failovers.Load)
	total("write_retries_total", "Writes run again because there was no primary.", g.counts.writeRetries.Load)
	total("unknown_total", "Commits whose outcome was not heard.", g.counts.unknown.Load)
	if g.budget != nil {
		total("refused_total", "Reads refused because the primary's budget was spent.", g.budget.refused.Load)
	}
	return c
}

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.nodes {
		ch <- f.desc
	}
	for _, f := range c.totals {
		ch <- f.desc
	}
}

// Collect sends one value of each metric for each node.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, st := range c.g.Status() {
		for _, f := range c.nodes {
			ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(st), st.Name)
		}
	}
	for _, f := range c.totals {
		ch <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(f.of()))
	}
}
