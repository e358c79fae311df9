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
	descHits       = metric("hits_total", "Keys that a tier had (l1, l2), stale ones and absences among them.", "family", "tier")
	descMisses     = metric("misses_total", "Keys that a tier did not have, or not any more.", "family", "tier")
	descWhy        = metric("l1_misses_total", "Why memory did not have a key: cold, expired, invalidated, or deaf, when it could not be trusted.", "family", "reason")
	descStale      = metric("stale_total", "Expired values served: while they were refreshed (l1, l2), or because a load failed (fail_safe).", "family", "tier")
	descRefused    = metric("refused_total", "Values invalidated while they were read, and not kept.", "family", "tier")
	descSaved      = metric("saved_total", "Loads of keys that did not happen.", "family")
	descLoads      = metric("loads_total", "Calls of loaders.", "family")
	descLoadErrors = metric("load_errors_total", "Calls of loaders that failed.", "family")
	descTime       = metric("seconds", "How long an answer took, by tier (l1: of samples; l2; source).", "family", "tier")
	descJoined     = metric("joined_total", "Callers who waited for another's load.", "family")
	descBytes      = metric("l1_bytes", "Bytes in memory.", "family")
	descEntries    = metric("l1_entries", "Values in memory.", "family")
	descEvicted    = metric("l1_evicted_total", "Values pushed out of memory by others.", "family")
	descTraffic    = metric("l2_bytes_total", "Bytes of values exchanged with Redis (in, out).", "family", "direction")
	descUp         = metric("l2_up", "1 while Redis is in use.")
	descErrors     = metric("l2_errors_total", "Exchanges with Redis that failed.")
	descTrips      = metric("l2_trips_total", "How often Redis was left alone.")
	descPending    = metric("l2_pending_tags", "Invalidated tags and keys Redis has yet to hear of.")
	descLost       = metric("lost_messages_total", "How often messages of the bus turned out to be lost.")
	descSent       = metric("invalidations_total", "Invalidations, by origin (own, bus).", "origin")
	descQueued     = metric("queued", "Background work that waits.")
	descDropped    = metric("dropped_total", "Background work refused because the queue was full.")
)

func newCollector(s *Store) *collector { return &collector{s} }

// Describe names the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descHits, descMisses, descWhy, descStale, descRefused, descSaved, descLoads, descLoadErrors, descTime,
		descJoined, descBytes, descEntries, descEvicted, descTraffic, descUp, descErrors, descTrips, descPending, descLost, descSent,
		descQueued, descDropped} {
		ch <- d
	}
}

// sender sends one kind of metric.
type sender struct {
	ch   chan<- prometheus.Metric
	kind prometheus.ValueType
}

func (s sender) send(d *prometheus.Desc, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, s.kind, v, labels...)
}

// Collect sends their values.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	st := c.s.Stats()
	count, gauge := sender{ch, prometheus.CounterValue}, sender{ch, prometheus.GaugeValue}
	for _, f := range st.Families {
		f.collect(count, gauge)
	}
	if st.L2.Configured {
		up := 0.0
		if st.L2.Up {
			up = 1
		}
		gauge.send(descUp, up)
		gauge.send(descPending, float64(st.L2.Pending))
		count.send(descErrors, float64(st.L2.Errors))
		count.send(descTrips, float64(st.L2.Trips))
		count.send(descLost, float64(st.L2.Lost))
	}
	count.send(descSent, float64(st.Sent), "own")
	count.send(descSent, float64(st.Received), "bus")
	gauge.send(descQueued, float64(st.Queued))
	count.send(descDropped, float64(st.Dropped))
}

func (f FamilyStats) collect(count, gauge sender) {
	for _, t := range f.Tiers() {
		if t.Tier != "source" {
			count.send(descHits, float64(t.Hits), f.Name, t.Tier)
			count.send(descMisses, float64(t.Misses), f.Name, t.Tier)
			count.send(descStale, float64(t.Stale), f.Name, t.Tier)
			count.send(descRefused, float64(t.Refused), f.Name, t.Tier)
		}
		count.ch <- prometheus.MustNewConstSummary(descTime, t.Time.Count, t.Time.Sum.Seconds(),
			map[float64]float64{0.5: t.Time.P50.Seconds(), 0.99: t.Time.P99.Seconds()}, f.Name, t.Tier)
	}
	for reason, n := range map[string]uint64{"cold": f.MissCold, "expired": f.MissExpired, "invalidated": f.MissInvalidated, "deaf": f.MissDeaf} {
		count.send(descWhy, float64(n), f.Name, reason)
	}
	count.send(descStale, float64(f.FailSafe), f.Name, "fail_safe")
	count.send(descSaved, float64(f.Saved), f.Name)
	count.send(descLoads, float64(f.Loads), f.Name)
	count.send(descLoadErrors, float64(f.LoadErrors), f.Name)
	count.send(descJoined, float64(f.Joined), f.Name)
	count.send(descEvicted, float64(f.Evicted), f.Name)
	count.send(descTraffic, float64(f.BytesIn), f.Name, "in")
	count.send(descTraffic, float64(f.BytesOut), f.Name, "out")
	gauge.send(descBytes, float64(f.L1Bytes), f.Name)
	gauge.send(descEntries, float64(f.L1Entries), f.Name)
}
