package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	splitCarts = 24_000
	splitRuns  = 2
	// splitProfile names the file that a processor profile of this process is written to, with the work's name behind it.
	splitProfile = "STAMPEDE_BENCH_PROFILE"
)

// benchSplit tells where the processor time of a checkout goes: 64 callers do the same phase of many checkouts, then the next phase
// of all of them, as callers that move in step do, and at last whole checkouts. Of each: the time spent in PostgreSQL and here,
// what is written to the log, and how many share a transaction. Ours is the processor time of a whole checkout of one hot product,
// the anchor that of three random ones.
func benchSplit(ctx context.Context) (r result, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as in the comparison
	t := newTable("products", "phase", "in a transaction", "PostgreSQL µs", "here µs", "log bytes", "cores", "per second")
	hot, err := splitOf(ctx, "one hot", oneHot, t)
	if err != nil {
		return r, err
	}
	random, err := splitOf(ctx, "three random", threeRandom, t)
	if err != nil {
		return r, err
	}
	t.print()
	return result{Unit: "µs of processor time a checkout", Ours: median(hot), Anchor: median(random), Spread: spread(hot), Runs: splitRuns,
		Details: map[string]any{"callers": checkoutCallers, "slots": shopSlots, "anchor": "three random products"}}, nil
}

func splitOf(ctx context.Context, what string, pick func() []int64, t *table) (whole []float64, err error) {
	s, err := startPG(ctx, pg.Settings{"min_wal_size": "4GB", "max_wal_size": "6GB"})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	b, err := openShop(ctx, s, false)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := b.warm(ctx, pick); err != nil {
		return nil, err
	}
	for run := range splitRuns {
		m := meter{b: b, s: s, what: what, t: t, profile: run == splitRuns-1}
		if err := m.phases(ctx, pick); err != nil {
			return nil, err
		}
		each, err := m.whole(ctx, pick)
		if err != nil {
			return nil, err
		}
		whole = append(whole, each)
	}
	return whole, b.audit(ctx)
}

// meter measures what one kind of work costs.
type meter struct {
	b       *benchShop
	s       *pgServer
	what    string
	t       *table
	profile bool
}

// phases opens checkouts, reserves for all of them, and confirms them all.
func (m *meter) phases(ctx context.Context, pick func() []int64) error {
	users, err := m.b.fill(ctx, splitCarts, pick)
	if err != nil {
		return err
	}
	open := make([]shop.Checkout, len(users))
	charged := make([]shop.Charge, len(users))
	for _, phase := range []struct {
		name string
		do   func(ctx context.Context, i int) error
	}{
		{"open", func(ctx context.Context, i int) (err error) {
			now, ok := time.Now(), false
			draft := shop.Checkout{OrderID: uuid.Must(uuid.NewV7()).String(), UserID: users[i], CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
			open[i], ok, err = m.b.batched.OpenCart(ctx, draft, shop.CheckoutKey{Key: users[i], Hash: []byte("0123456789abcdef0123456789abcdef")})
			if err == nil && !ok {
				err = errors.New("a cart was not opened")
			}
			return err
		}},
		{"reserve", func(ctx context.Context, i int) error {
			c := &open[i]
			return m.b.batched.Reserve(ctx, shop.Reservation{OrderID: c.OrderID, UserID: c.UserID, Lines: c.Lines, ExpiresAt: c.ExpiresAt})
		}},
		{"confirm", func(ctx context.Context, i int) error {
			done, err := m.b.batched.ConfirmOpen(ctx, open[i], charged[i], m.b.pay.Name())
			if err == nil && done.State != shop.CheckoutConfirmed {
				err = fmt.Errorf("a checkout is %s", done.State)
			}
			return err
		}},
	} {
		if phase.name == "confirm" {
			for i, c := range open {
				if charged[i], err = m.b.pay.Charge(ctx, c.OrderID, c.Total, c.Currency, c.Payment); err != nil {
					return err
				}
			}
		}
		if _, err := m.measure(ctx, phase.name, len(users), phase.do); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return nil
}

// whole buys carts from end to end and gives the processor time of one, in microseconds.
func (m *meter) whole(ctx context.Context, pick func() []int64) (float64, error) {
	users, err := m.b.fill(ctx, splitCarts, pick)
	if err != nil {
		return 0, err
	}
	return m.measure(ctx, "whole checkout", len(users), func(ctx context.Context, i int) error {
		r, err := m.b.saga.Run(ctx, shop.CheckoutRequest{UserID: users[i], ArrivedAt: time.Now(),
			Key: shop.CheckoutKey{Key: users[i], Hash: []byte("0123456789abcdef0123456789abcdef")}})
		if err == nil && r.Order.Status != shop.OrderConfirmed {
			err = fmt.Errorf("checkout: status %q", r.Order.Status)
		}
		return err
	})
}

// measure lets the callers do n pieces of work, and adds a line about it to the table.
func (m *meter) measure(ctx context.Context, name string, n int, do func(ctx context.Context, i int) error) (each float64, err error) {
	if err := m.s.rest(ctx); err != nil {
		return 0, err
	}
	runtime.GC()
	stop, err := m.profiling(name)
	if err != nil {
		return 0, err
	}
	defer stop()
	log, err := m.logged(ctx)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	before, cpu := m.b.batched.Stats().Steps, spentNow()
	_, took, err := hammer(ctx, checkoutCallers, time.Minute, func(ctx context.Context) error {
		i := int(next.Add(1)) - 1
		if i >= n {
			return errEnough
		}
		return do(ctx, i)
	})
	cpu = spentNow().minus(cpu)
	after := m.b.batched.Stats().Steps
	if err != nil {
		return 0, err
	}
	end, err := m.logged(ctx)
	if err != nil {
		return 0, err
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
	m.t.add(m.what, name, fmt.Sprintf("%.1f", float64(after.Finished-before.Finished)/float64(after.Batches-before.Batches)),
		per(cpu.servers), per(cpu.here), float64(end-log)/float64(n), fmt.Sprintf("%.2f", cpu.all().Seconds()/took.Seconds()), float64(n)/took.Seconds())
	return per(cpu.all()), nil
}

// logged is the end of the server's log.
func (m *meter) logged(ctx context.Context) (at int64, err error) {
	err = m.s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&at)
	})
	return at, err
}

// profiling writes a profile until stop is called, if one is asked for.
func (m *meter) profiling(name string) (stop func(), err error) {
	path := os.Getenv(splitProfile)
	if path == "" || !m.profile {
		return func() {}, nil
	}
	out, err := os.Create(fmt.Sprintf("%s.%s.%s", path, m.what, name))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = out.Close() // a profile
	}, nil
}
