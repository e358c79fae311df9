package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests by route pattern, never by path, so that their number is bounded.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// newMetrics registers the metrics, or finds those that another handler registered; nil without a registerer.
func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	return &metrics{
		requests: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stampede_http_requests_total",
			Help: "Requests answered, by route pattern, method and class of status."}, []string{"route", "method", "status"})),
		duration: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "stampede_http_request_duration_seconds",
			Help:    "Time from the first byte read to the answer written.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10}}, []string{"route", "method"})),
		inFlight: register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: "stampede_http_requests_in_flight",
			Help: "Requests being answered."})),
	}
}

func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil {
		panic("httpapi: cannot register metrics: " + err.Error()) // two metrics of one name: a programming error
	}
	return c
}

func (m *metrics) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *metrics) end(route, method string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.inFlight.Dec()
	if route == "" {
		route = "unmatched"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc()
	m.duration.WithLabelValues(route, method).Observe(took.Seconds())
}
