package analytics

import "github.com/prometheus/client_golang/prometheus"

type collectorMetrics struct {
	published, refused, failed, dropped, full prometheus.Counter
}

func newCollectorMetrics(reg prometheus.Registerer) *collectorMetrics {
	c := counters(reg, "stampede_analytics_")
	return &collectorMetrics{
		published: c("published_total", "Events that the stream has."),
		refused:   c("refused_total", "Events not taken because too many waited."),
		failed:    c("failed_total", "Events whose publication failed for as long as it was tried."),
		dropped:   c("dropped_total", "Events of the platform itself that were dropped because too many waited."),
		full:      c("stream_full_total", "Batches refused because the stream was full."),
	}
}

// counters makes counters; reg may be nil, and may have them already.
func counters(reg prometheus.Registerer, prefix string) func(name, help string) prometheus.Counter {
	return func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help})
		if reg != nil {
			if err := reg.Register(c); err != nil {
				if have, ok := err.(prometheus.AlreadyRegisteredError); ok {
					return have.ExistingCollector.(prometheus.Counter)
				}
			}
		}
		return c
	}
}

type ingestMetrics struct {
	stored, duplicates, sampled, late, corrupt, again, commits prometheus.Counter
}

func newIngestMetrics(reg prometheus.Registerer) *ingestMetrics {
	c := counters(reg, "stampede_analytics_")
	return &ingestMetrics{
		stored:     c("stored_total", "Events in the store."),
		duplicates: c("duplicates_total", "Events that were stored already."),
		sampled:    c("sampled_out_total", "Events that are not stored, because only a share of their kind is."),
		late:       c("late_total", "Events older than the window, looked up in the store."),
		corrupt:    c("corrupt_batches_total", "Batches that could not be read and were set aside."),
		again:      c("store_errors_total", "Commits that failed and were tried again."),
		commits:    c("commits_total", "Transactions of the store."),
	}
}
