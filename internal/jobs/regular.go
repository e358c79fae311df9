package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	sweepLimit     = 1000             // of one sweep, from each shard
	recoverAtOnce  = 4                // checkouts
	recoverWithin  = 15 * time.Second // one checkout
	regularTimeout = time.Minute      // one run of a regular job
)

// regular is a job done over and over. Any number of workers may do it at once.
type regular struct {
	name  string
	every time.Duration
	// run does a round and tells how much it did; a full round is followed by the next at once.
	run func(ctx context.Context) (int, error)
}

func (j *Jobs) regular() []regular {
	p, s := j.d.Periods, j.d.Sweeps
	return append([]regular{
		{"recover", p.Recover, j.recoverCheckouts},
		{"reservations", p.Reservations, func(ctx context.Context) (int, error) { return s.SweepReservations(ctx, sweepLimit) }},
		{"abandoned", p.Abandoned, func(ctx context.Context) (int, error) { return s.AbandonedCarts(ctx, p.CartIdle, sweepLimit) }},
		{"purge", p.Purge, func(ctx context.Context) (int, error) {
			n, err := s.PurgeOldKeys(ctx, sweepLimit)
			return int(n), err
		}},
	}, j.facetJobs()...)
}

// repeat runs r until ctx ends.
func (j *Jobs) repeat(ctx context.Context, r regular) {
	t := time.NewTimer(0)
	defer t.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n, err := j.once(ctx, r)
		if err != nil && ctx.Err() == nil && !failing { // once a spell, not every two seconds
			j.log.Warn("a regular job failed; it is repeated", "job", r.name, "error", err)
		}
		failing = err != nil
		if n >= sweepLimit && err == nil {
			t.Reset(0)
		} else {
			t.Reset(r.every)
		}
	}
}

func (j *Jobs) once(ctx context.Context, r regular) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, regularTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("jobs: %s panicked: %v", r.name, p)
		}
		if err != nil {
			j.m.failed.WithLabelValues(r.name).Inc()
		}
		j.m.done.WithLabelValues(r.name).Add(float64(n))
	}()
	return r.run(ctx)
}

// recoverCheckouts settles what nobody drives any more and tells how many it settled.
func (j *Jobs) recoverCheckouts(ctx context.Context) (int, error) {
	list, err := j.d.Sweeps.ExpiredCheckouts(ctx, sweepLimit)
	var g errgroup.Group
	g.SetLimit(recoverAtOnce)
	errs := make([]error, len(list))
	var n atomic.Int64
	for i, c := range list {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if errs[i] = j.recoverOne(ctx, c); errs[i] == nil {
				n.Add(1)
			}
			return nil
		})
	}
	_ = g.Wait()
	return int(n.Load()), errors.Join(err, errors.Join(errs...), ctx.Err())
}

func (j *Jobs) recoverOne(ctx context.Context, c shop.Checkout) error {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	if err := j.d.Checkouts.Recover(ctx, c); err != nil {
		return fmt.Errorf("recover checkout %s: %w", c.OrderID, err)
	}
	j.log.Info("an abandoned checkout was settled", "order", c.OrderID)
	return nil
}

type metrics struct{ done, failed *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		done: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jobs_regular_done_total",
			Help: "What regular jobs did: checkouts recovered, reservations settled, carts reminded, old rows purged."}, []string{"job"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jobs_regular_failures_total",
			Help: "Runs of regular jobs that failed."}, []string{"job"}),
	}
	if r != nil {
		r.MustRegister(m.done, m.failed)
	}
	return m
}
