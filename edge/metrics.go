package edge

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// metrics are the edge's Prometheus metrics; they are kept also when nobody registered them.
type metrics struct {
	reg       prometheus.Registerer
	requests  *prometheus.CounterVec // code
	inFlight  prometheus.Gauge
	seconds   prometheus.Histogram
	byOrigin  *prometheus.CounterVec // origin, outcome
	originUp  *prometheus.GaugeVec   // origin
	ejections *prometheus.CounterVec // origin, state
	retries   *prometheus.CounterVec // reason
	waits     prometheus.Counter
	answers   *prometheus.HistogramVec // origin, class
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "stampede", Subsystem: "edge", Name: name, Help: help}
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	m := &metrics{
		reg:      reg,
		requests: counters("requests_total", "Requests answered, by status code; 499 means that the client left first.", "code"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts(opts("in_flight_requests", "Requests being served."))),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "stampede", Subsystem: "edge", Name: "request_seconds",
			Help:    "Time from a request's arrival to the last byte of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 15},
		}),
		byOrigin:  counters("origin_requests_total", "Attempts by origin and outcome (answered, refused, broken, cancelled).", "origin", "outcome"),
		originUp:  prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("origin_up", "1 when the origin is healthy.")), []string{"origin"}),
		ejections: counters("ejections_total", "How often an origin was taken out, by the state it got.", "origin", "state"),
		retries:   counters("retries_total", "Attempts beyond the first, by why, and those the budget refused.", "reason"),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "stampede", Subsystem: "edge", Name: "origin_seconds",
			Help: "Time until an origin answered, by the class of the answer.", Buckets: []float64{.001, .005, .025, .1, .5, 2, 10}}, []string{"origin", "class"}),
		waits: prometheus.NewCounter(prometheus.CounterOpts(opts("waits_total", "Requests that found no usable origin and waited for one."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.inFlight, m.seconds, m.byOrigin, m.originUp, m.ejections, m.retries, m.waits, m.answers} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("edge: register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) answered(code int, d time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	m.seconds.Observe(d.Seconds())
}

// aborted counts an answer that was cut off after its header.
func (m *metrics) aborted(d time.Duration) {
	m.requests.WithLabelValues("aborted").Inc()
	m.seconds.Observe(d.Seconds())
}

func (m *metrics) attempt(origin, outcome string) { m.byOrigin.WithLabelValues(origin, outcome).Inc() }

// took times an origin's answer.
func (m *metrics) took(origin string, code int, d time.Duration) {
	m.answers.WithLabelValues(origin, [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[min(max(code/100, 1), 5)-1]).Observe(d.Seconds())
}

func (m *metrics) retry(reason string) { m.retries.WithLabelValues(reason).Inc() }
func (m *metrics) ejected(origin string, s state) {
	m.ejections.WithLabelValues(origin, s.String()).Inc()
}

func (m *metrics) up(origin string, up bool) {
	v := 0.0
	if up {
		v = 1
	}
	m.originUp.WithLabelValues(origin).Set(v)
}

// forget drops an origin that was removed, so that the number of series stays bounded.
func (m *metrics) forget(origin string) {
	l := prometheus.Labels{"origin": origin}
	m.originUp.DeletePartialMatch(l)
	m.byOrigin.DeletePartialMatch(l)
	m.ejections.DeletePartialMatch(l)
	m.answers.DeletePartialMatch(l)
}

// watchCache exports the cache's figures.
func (m *metrics) watchCache(c *httpcache.Cache) error {
	if m.reg == nil {
		return nil
	}
	for name, f := range map[string]func(httpcache.Stats) int64{
		"hits":        func(s httpcache.Stats) int64 { return s.Hits },
		"stale":       func(s httpcache.Stats) int64 { return s.Stale },
		"bridged":     func(s httpcache.Stats) int64 { return s.Bridged },
		"collapsed":   func(s httpcache.Stats) int64 { return s.Collapsed },
		"revalidated": func(s httpcache.Stats) int64 { return s.Revalidated },
		"misses":      func(s httpcache.Stats) int64 { return s.Misses },
		"passed":      func(s httpcache.Stats) int64 { return s.Passed },
	} {
		err := m.reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "stampede", Subsystem: "edge", Name: "cache_requests_total",
			Help: "Requests by what the cache did with them.", ConstLabels: prometheus.Labels{"outcome": name}},
			func() float64 { return float64(f(c.Counts())) }))
		if err != nil {
			return fmt.Errorf("edge: register metrics: %w", err)
		}
	}
	for name, f := range map[string]func(httpcache.Stats) int64{
		"cache_memory_bytes": func(s httpcache.Stats) int64 { return s.MemoryBytes },
		"cache_disk_bytes":   func(s httpcache.Stats) int64 { return s.DiskBytes },
		"cache_addresses":    func(s httpcache.Stats) int64 { return s.Addresses },
	} {
		err := m.reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "stampede", Subsystem: "edge", Name: name,
			Help: "What the cache holds."}, func() float64 { return float64(f(c.Stats())) }))
		if err != nil {
			return fmt.Errorf("edge: register metrics: %w", err)
		}
	}
	return nil
}
