package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

func TestAbandonedCarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, p := t.Context(), w.product(t, 5)
	idle := func(user string) {
		w.exec(t, user, `UPDATE carts SET (updated_at, active_hour) = (now() - interval '2 hours', now() - interval '3 hours') WHERE user_id = $1`, user)
	}
	sweep := func(want int) {
		t.Helper()
		if n, err := w.AbandonedCarts(ctx, time.Hour, 10); err != nil || n != want {
			t.Fatalf("%d carts, %v; want %d", n, err, want)
		}
	}
	left, fresh, empty := w.fill(t, p), w.fill(t, p), w.fill(t, p)
	_, err := w.Clear(ctx, empty, "")
	check(t, err)
	idle(left)
	idle(empty)
	sweep(1)
	sweep(0) // once per version
	if n := w.count(t, left, `SELECT count(*) FROM outbox WHERE topic = 'cart.abandoned' AND key = $1 AND payload->>'cart_version' = '1'`, left); n != 1 {
		t.Fatalf("%d events", n)
	}
	_, err = w.SetQuantity(ctx, left, "", p.ID, 2)
	check(t, err)
	sweep(0)
	idle(left)
	sweep(1)
	idle(fresh)
	sweep(1)
}

func TestSweepReservations(t *testing.T) { bothWays(t, checkSweepReservations) }

func checkSweepReservations(t *testing.T, w *world) {
	ctx, p := t.Context(), w.product(t, 10)
	user := w.fill(t, p)
	open := w.openFor(t, user, shop.CheckoutKey{})
	check(t, w.Reserve(ctx, shop.Reservation{OrderID: open.OrderID, UserID: user, Lines: open.Lines, ExpiresAt: time.Now()}))
	check(t, w.Reserve(ctx, hold(newID(), shop.LineOf(p, 2)))) // of no checkout at all
	sweep := func(want int, left int64) {
		t.Helper()
		w.expire(t)
		if n, err := w.SweepReservations(ctx, 10); err != nil || n != want || w.left(t, p) != left {
			t.Fatalf("%d orders, %v, %d left; want %d, %d", n, err, w.left(t, p), want, left)
		}
	}
	sweep(1, 9) // the orphan goes back, what a checkout may still need stays
	ch, err := w.pay.Charge(ctx, open.OrderID, open.Total, open.Currency, open.Payment)
	check(t, err)
	_, err = w.ConfirmCheckout(ctx, user, open.OrderID, ch, "test")
	check(t, err)
	sweep(1, 9) // committed
	sweep(0, 9)
	failed := w.openFor(t, w.fill(t, p), shop.CheckoutKey{})
	check(t, w.Reserve(ctx, shop.Reservation{OrderID: failed.OrderID, UserID: failed.UserID, Lines: failed.Lines, ExpiresAt: time.Now()}))
	_, err = w.FailCheckout(ctx, failed.UserID, failed.OrderID, shop.CodeUnavailable, nil)
	check(t, err)
	sweep(1, 9) // released
	w.clean(t)
}

func TestPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, p := t.Context(), w.product(t, 10)
	user := w.fill(t, p)
	c := w.openFor(t, user, shop.CheckoutKey{Key: "k", Hash: []byte{1}})
	check(t, w.Release(ctx, c.OrderID, []int64{p.ID}))
	key := shop.ProductKey(p.ID)
	w.exec(t, key, `UPDATE reservations SET updated_at = now() - interval '25 hours' WHERE order_id = $1`, c.OrderID)
	purge := func(want int64) {
		t.Helper()
		if n, err := w.PurgeOldKeys(ctx, 100); err != nil || n != want {
			t.Fatalf("purged %d, %v; want %d", n, err, want)
		}
	}
	purge(0) // the checkout is open: its tombstone must stand
	_, err := w.FailCheckout(ctx, user, c.OrderID, shop.CodeUnavailable, nil)
	check(t, err)
	purge(0) // just finished: a slow driver may still come
	w.exec(t, user, `UPDATE checkouts SET finished_at = now() - interval '25 hours' WHERE order_id = $1`, c.OrderID)
	purge(1)
	w.exec(t, user, `UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = $1`, user)
	purge(1)
	purge(0)
}

// A shopper who hangs up once the checkout is open leaves nothing behind.
func TestHangingUp(t *testing.T) { bothWays(t, checkHangingUp) }

func checkHangingUp(t *testing.T, w *world) {
	p := w.product(t, 5)
	user := w.fill(t, p)
	ctx, hangUp := context.WithCancel(t.Context())
	s := w.saga(func(point string) {
		if point == "opened" {
			hangUp()
		}
	})
	if r, err := s.Run(ctx, buy(user)); err != nil || r.Order.Status != shop.OrderConfirmed {
		t.Fatalf("%+v, %v", r, err)
	}
	w.drain(t, s)
	w.clean(t)
}

// A dead server is a busy shop to the shopper, within the time-out; when it is back, the same calls work.
func TestDeadShard(t *testing.T) {
	t.Parallel()
	server := localtest.PostgresWith(t, localtest.PostgresOptions{})
	dsn := server.Database(t)
	check(t, postgres.MigrateShard(t.Context(), dsn))
	pool, err := pgxpool.New(t.Context(), dsn)
	check(t, err)
	t.Cleanup(pool.Close)
	ring := must(shard.NewRing(shard.Info{ID: "only"}))
	cluster := must(shard.New(ring, map[string]*pgxpool.Pool{"only": pool}, shard.Options{}))
	s := postgres.NewShards(cluster, postgres.ShardOptions{Timeout: 3 * time.Second})
	check(t, s.SetAvailable(t.Context(), "test", 1, 5))
	server.Kill()
	for pool.Ping(t.Context()) == nil { // backends outlive their postmaster by a moment
	}
	start := time.Now()
	for _, call := range []func() error{
		func() error { return s.Reserve(t.Context(), hold("o", line(1, 1))) },
		func() error { _, err := s.AddLine(t.Context(), "u", "op", line(1, 1), "USD"); return err },
		func() error { _, err := s.ConfirmCheckout(t.Context(), "u", "o", shop.Charge{}, "test"); return err },
	} {
		wantCode(t, call(), shop.CodeUnavailable)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Fatalf("took %s", took)
	}
	server.Restart(t)
	check(t, s.Reserve(t.Context(), hold("o", line(1, 1))))
}
