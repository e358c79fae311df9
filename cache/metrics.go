package cache

import "github.com/prometheus/client_golang/prometheus"

// collector turns Stats into metrics when it is scraped.
type collector struct {
	s *Store
}

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("stampede_cache_"+name, help, labels, nil)
}

var (
	descHits       = metric("hits_total", "Keys answered, by tier (l1, l2, negative).", "family", "tier")
	descLoads      = metric("loads_total", "Calls of loaders.", "family")
	descLoadErrors = metric("load_errors_total", "Calls of loaders that failed.", "family")
	descLoadTime   = metric("load_seconds_total", "Time spent in loaders.", "family")
	descJoined     = metric("joined_total", "Callers who waited for another's load.", "family")
	descRefused    = metric("refused_total", "Values invalidated while they were read, and not stored.", "family")
	descBytes      = metric("l1_bytes", "Bytes in memory.", "family")
	descEntries    = metric("l1_entries", "Values in memory.", "family")
	descUp         = metric("l2_up", "1 while Redis is in use.")
	descErrors     = metric("l2_errors_total", "Exchanges with Redis that failed.")
	descPending    = metric("l2_pending_tags", "Invalidated tags Redis has yet to hear of.")
	descSent       = metric("invalidations_total", "Invalidations, by origin (own, bus).", "origin")
)

func newCollector(s *Store) *collector { return &collector{s} }

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descHits, descLoads, descLoadErrors, descLoadTime, descJoined, descRefused,
		descBytes, descEntries, descUp, descErrors, descPending, descSent} {
		ch <- d
	}
}

// Collect sends their values.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	const count, gauge = prometheus.CounterValue, prometheus.GaugeValue
	st := c.s.Stats()
	for _, f := range st.Families {
		send(descHits, count, float64(f.L1Hits), f.Name, "l1")
		send(descHits, count, float64(f.L2Hits), f.Name, "l2")
		send(descHits, count, float64(f.NegativeHits), f.Name, "negative")
		send(descLoads, count, float64(f.Loads), f.Name)
		send(descLoadErrors, count, float64(f.LoadErrors), f.Name)
		send(descLoadTime, count, f.LoadTime.Seconds(), f.Name)
		send(descJoined, count, float64(f.Joined), f.Name)
		send(descRefused, count, float64(f.Refused), f.Name)
		send(descBytes, gauge, float64(f.L1Bytes), f.Name)
		send(descEntries, gauge, float64(f.L1Entries), f.Name)
	}
	if st.L2.Configured {
		up := 0.0
		if st.L2.Up {
			up = 1
		}
		send(descUp, gauge, up)
		send(descErrors, count, float64(st.L2.Errors))
		send(descPending, gauge, float64(st.L2.Pending))
	}
	send(descSent, count, float64(st.Sent), "own")
	send(descSent, count, float64(st.Received), "bus")
}
