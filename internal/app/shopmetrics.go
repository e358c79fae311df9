package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/shop"
)

// timedPayments counts and times what the payment provider is asked: an outage there looks like nothing else.
type timedPayments struct {
	shop.PaymentProvider
	seconds *prometheus.HistogramVec // call, outcome
}

// timed registers the metrics, once in a process.
func (s *stack) timed(p shop.PaymentProvider) shop.PaymentProvider {
	t := timedPayments{p, prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "stampede", Subsystem: "payment", Name: "seconds",
		Help: "Time of a call of the payment provider, by outcome; unknown: it did not answer in time.", Buckets: []float64{.005, .05, .5, 2, 10}},
		[]string{"call", "outcome"})}
	if s.reg == nil {
		return t
	}
	if err := s.reg.Register(t.seconds); err != nil {
		s.log.Warn("payment metrics not registered", "error", err)
	}
	return t
}

func (t timedPayments) note(call string, begun time.Time, err error) {
	outcome := "answered"
	switch {
	case errors.Is(err, shop.ErrPaymentUnknown):
		outcome = "unknown"
	case err != nil:
		outcome = "failed"
	}
	t.seconds.WithLabelValues(call, outcome).Observe(time.Since(begun).Seconds())
}

// Charge implements shop.PaymentProvider.
func (t timedPayments) Charge(ctx context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	begun := time.Now()
	c, err := t.PaymentProvider.Charge(ctx, key, amount, currency, m)
	t.note("charge", begun, err)
	return c, err
}

// Settle implements shop.PaymentProvider.
func (t timedPayments) Settle(ctx context.Context, key string) (shop.Charge, error) {
	begun := time.Now()
	c, err := t.PaymentProvider.Settle(ctx, key)
	t.note("settle", begun, err)
	return c, err
}

// clockMetric is a process's idea of the time: it is compared with that of `up`.
const clockMetric = "stampede_clock_seconds"

func (s *stack) exportClock() {
	if s.reg == nil {
		return
	}
	err := s.reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: clockMetric, Help: "Unix time by the clock of this process."},
		func() float64 { return float64(s.chaos.now().UnixMilli()) / 1000 }))
	if err != nil {
		s.log.Warn("clock metric not registered", "error", err)
	}
}
