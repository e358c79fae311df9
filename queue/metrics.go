package queue

import "github.com/prometheus/client_golang/prometheus"

var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

type relayMetrics struct {
	relayed, failures, stuck *prometheus.CounterVec
	lag                      *prometheus.HistogramVec
}

func newRelayMetrics(r prometheus.Registerer) *relayMetrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"source"}))
	}
	return &relayMetrics{
		relayed:  counter("queue_outbox_relayed_total", "Outbox rows moved into the stream."),
		failures: counter("queue_outbox_failures_total", "Batches that failed in the database or in the stream."),
		stuck:    counter("queue_outbox_stuck_total", "Outbox rows that can never be published."),
		lag: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "queue_outbox_lag_seconds",
			Help: "Age of the oldest row of a batch when the batch was in the stream.", Buckets: latencyBuckets}, []string{"source"})),
	}
}

type consumerMetrics struct {
	handled *prometheus.CounterVec // by outcome: ok, retry, dead
	seconds prometheus.Observer
	lag     prometheus.Observer
	busy    prometheus.Gauge
}

func newConsumerMetrics(r prometheus.Registerer, durable string) *consumerMetrics {
	histogram := func(name, help string) prometheus.Observer {
		return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: latencyBuckets}, []string{"consumer"})).WithLabelValues(durable)
	}
	return &consumerMetrics{
		handled: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "queue_messages_total",
			Help: "Messages by what became of this delivery: ok, retry or dead."}, []string{"consumer", "outcome"})).
			MustCurryWith(prometheus.Labels{"consumer": durable}),
		seconds: histogram("queue_handler_seconds", "Time a handler took."),
		lag:     histogram("queue_lag_seconds", "Time from the event to the end of its handling."),
		busy: register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "queue_handlers_busy",
			Help: "Handlers at work."}, []string{"consumer"})).WithLabelValues(durable),
	}
}

type busMetrics struct {
	broadcasts *prometheus.CounterVec // by outcome: ok, failed
	seconds    prometheus.Observer
	members    prometheus.Gauge
}

func newBusMetrics(r prometheus.Registerer, subject string) *busMetrics {
	label := []string{"bus"}
	return &busMetrics{
		broadcasts: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "queue_broadcasts_total",
			Help: "Broadcasts by outcome: ok or failed."}, []string{"bus", "outcome"})).MustCurryWith(prometheus.Labels{"bus": subject}),
		seconds: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "queue_broadcast_seconds",
			Help: "Time until every live member had acted on a broadcast.", Buckets: latencyBuckets}, label)).WithLabelValues(subject),
		members: register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "queue_bus_members",
			Help: "Other live members of the bus."}, label)).WithLabelValues(subject),
	}
}
