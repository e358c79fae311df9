package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// batchedWorld is a world whose stores share transactions.
func batchedWorld(t *testing.T, o postgres.BatchedOptions) (*world, *postgres.Batched) {
	t.Helper()
	w := newWorld(t)
	return w, w.batch(t, o)
}

// Many shoppers, few transactions: the point of it all.
func TestBatchedSharesTransactions(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{Slots: 1})
	s, p := w.saga(nil), w.product(t, 1000)
	s.CommitLater = true
	users := make([]string, 100)
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() { users[i] = w.fill(t, p) })
	}
	wg.Wait()
	before := w.transactions(t)
	for _, user := range users {
		wg.Go(func() {
			if _, err := s.Run(t.Context(), keyed(user, "k", "h")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.transactions(t) - before; n > 250 { // one by one: 700
		t.Errorf("%d transactions for 100 checkouts", n)
	}
	if st := b.Stats(); st.Steps.Splits+st.Steps.Retries+st.Steps.Failed > 0 || st.Steps.Finished != 400 {
		t.Errorf("%+v", st)
	}
	held := w.count(t, shop.ProductKey(p.ID), `SELECT count(*) FROM reservations WHERE state = 'held'`)
	if held != 100 || w.left(t, p) != 900 {
		t.Errorf("%d held, %d left", held, w.left(t, p))
	}
	w.drain(t, s) // what consumes order.confirmed commits
	w.clean(t)
}

// transactions counts those that wrote something, on all shards.
func (w *world) transactions(t *testing.T) (n int64) {
	t.Helper()
	for _, node := range w.cluster.Nodes() {
		var x int64
		check(t, node.Pool.QueryRow(t.Context(), `SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM checkouts
			UNION ALL SELECT xmin FROM reservations UNION ALL SELECT xmin FROM orders UNION ALL SELECT xmin FROM test_charges
			UNION ALL SELECT xmin FROM carts) x`).Scan(&x))
		n += x
	}
	return n
}

// First come, first served, each all or nothing, the rest of the batch none the worse.
func TestBatchedRation(t *testing.T) {
	t.Parallel()
	w, _ := batchedWorld(t, postgres.BatchedOptions{})
	ctx := t.Context()
	a, b := w.product(t, 3), w.product(t, 50)
	var granted, short atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			lines := []shop.Line{shop.LineOf(b, 1)}
			if i%2 == 0 {
				lines = append(lines, shop.LineOf(a, 2))
			}
			err := w.Reserve(ctx, hold(fmt.Sprint("ration-", i), lines...))
			var e *shop.Error
			switch {
			case err == nil && i%2 == 0:
				granted.Add(1)
			case errors.As(err, &e) && e.Code == shop.CodeOutOfStock && i%2 == 0 && len(e.Lines) == 1 && e.Lines[0].ProductID == a.ID &&
				e.Lines[0].Requested == 2 && e.Lines[0].Available < 2 && e.Lines[0].Name == a.Name:
				short.Add(1)
				if err := w.Release(ctx, fmt.Sprint("ration-", i), []int64{a.ID, b.ID}); err != nil {
					t.Error(err)
				}
			case err != nil:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || short.Load() != 19 || w.left(t, a) != 1 || w.left(t, b) != 50-21 {
		t.Errorf("%d granted, %d short, %d and %d left", granted.Load(), short.Load(), w.left(t, a), w.left(t, b))
	}
}

// Two processes with group commit and one without, on the same few products and the same orders: nobody deadlocks, and
// every unit is accounted for.
func TestBatchedBesideOthers(t *testing.T) {
	t.Parallel()
	w, first := batchedWorld(t, postgres.BatchedOptions{})
	second := postgres.NewBatched(w.Shards, postgres.BatchedOptions{Parallel: 2})
	t.Cleanup(func() { check(t, second.Close(context.Background())) })
	var products []shop.Product
	for range 12 {
		products = append(products, w.product(t, 60))
	}
	var users []string
	for i := range 60 {
		users = append(users, w.fill(t, products[i%12], products[(i*5+1)%12], products[(i*7+3)%12]))
	}
	var confirmed atomic.Int64
	var wg sync.WaitGroup
	for _, user := range users {
		for i, of := range []stores{first, second, w.Shards} { // three clicks, three processes
			s := w.saga(nil)
			s.Store, s.Stock, s.Carts, s.Orders = of, of, of, of
			wg.Go(func() {
				_, err := s.Run(t.Context(), keyed(user, "click", "h"))
				if i == 0 && err == nil {
					confirmed.Add(1)
				}
				if code := shop.CodeOf(err); code != "" && code != shop.CodeOutOfStock && code != shop.CodeUnavailable {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if confirmed.Load() == 0 {
		t.Error("nobody bought anything")
	}
	w.drain(t, w.saga(nil))
	w.clean(t)
}

// A request that the database refuses does not take those beside it with it.
func TestBatchedPoison(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{Slots: 1})
	p := w.product(t, 100)
	s := w.saga(nil)
	var wg sync.WaitGroup
	for i := range 30 {
		user := w.fill(t, p)
		req := buy(user)
		if i%10 == 3 {
			req.ShippingAddress = []byte(`{"city": "\u0000"}`) // JSON, but not for jsonb
		}
		wg.Go(func() {
			if _, err := s.Run(t.Context(), req); (err != nil) != (i%10 == 3) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if b.Stats().Steps.Failed != 3 || w.left(t, p) != 73 {
		t.Errorf("%+v, %d left", b.Stats().Steps, w.left(t, p))
	}
	w.drain(t, s)
	w.clean(t)
}

func TestBatchedRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := postgres.NewBatched(w.Shards, postgres.BatchedOptions{})
	check(t, b.Close(t.Context()))
	p := w.product(t, 1)
	wantCode(t, b.Reserve(t.Context(), hold(newID(), shop.LineOf(p, 1))), shop.CodeUnavailable)
	_, err := b.AddLine(t.Context(), newID(), "", shop.LineOf(p, 1), "USD")
	wantCode(t, err, shop.CodeUnavailable)
	var e *shop.Error
	if !errors.As(err, &e) || e.RetryAfter == 0 {
		t.Errorf("when to come again: %+v", e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	wantCode(t, w.Reserve(ctx, hold(newID(), shop.LineOf(p, 1))), shop.CodeUnavailable)
	if err := b.Reserve(t.Context(), shop.Reservation{OrderID: "x"}); err != nil {
		t.Errorf("nothing to reserve: %v", err)
	}
}

// A batch that asks for more than there is undoes itself; what else was in it is done all the same, and once.
func TestBatchedRefusalKeepsTheRest(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{})
	ctx, p := t.Context(), w.product(t, 25)
	reserve := func(order string, units int64) error {
		return b.Reserve(ctx, shop.Reservation{OrderID: order, UserID: "u", Lines: []shop.Line{shop.LineOf(p, units)}, ExpiresAt: time.Now().Add(time.Hour)})
	}
	kept, back, more := newID(), newID(), newID()
	check(t, reserve(back, 4))
	let := w.holdBack(t, p)
	defer let()                                                                                          // or closing the pool waits for ever
	localtest.Eventually(t, "nothing is under way", func() bool { return b.Stats().Steps.Running == 0 }) // answers come before the batch has ended
	before := b.Stats().Steps
	var all sync.WaitGroup
	all.Go(func() {
		if err := reserve(kept, 1); err != nil {
			t.Error(err)
		}
	})
	localtest.Eventually(t, "one reservation is under way", func() bool { return b.Stats().Steps.Running == 1 })
	all.Go(func() {
		if err := b.Release(ctx, back, []int64{p.ID}); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() {
		if err := reserve(more, 99); shop.CodeOf(err) != shop.CodeOutOfStock {
			t.Errorf("99 units of 24: %v", err)
		}
	})
	localtest.Eventually(t, "two steps wait for it", func() bool { return b.Stats().Steps.Submitted == before.Submitted+3 })
	let()
	all.Wait()
	if st := b.Stats().Steps; st.Batches != before.Batches+2 || st.Splits+st.Retries != before.Splits+before.Retries {
		t.Errorf("%+v after %+v: the two steps were to share a batch", st, before)
	}
	if left := w.left(t, p); left != 24 {
		t.Errorf("%d units are left of 25 with one reserved", left)
	}
	if n := w.count(t, shop.ProductKey(p.ID), `SELECT count(*) FROM reservations WHERE order_id = $1 AND state = 'released' OR order_id = $2 AND state = 'held'`, back, kept); n != 2 {
		t.Errorf("%d of two reservations are as they should be", n)
	}
}

// holdBack locks a product's row until the function that it returns is called; calling that twice is fine.
func (w *world) holdBack(t *testing.T, p shop.Product) (let func()) {
	t.Helper()
	n, err := w.cluster.OnShard(shop.ProductKey(p.ID))
	check(t, err)
	tx, err := n.Pool.Begin(t.Context())
	check(t, err)
	let = func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }
	if _, err = tx.Exec(t.Context(), `SELECT 1 FROM stock WHERE product_id = $1 FOR UPDATE`, p.ID); err != nil {
		let()
		t.Fatal(err)
	}
	return let
}

// An order that asks again for what it has, and one that was given up before it asked, disturb nobody in their batch.
func TestBatchedOrdersWithAPast(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{})
	ctx, p := t.Context(), w.product(t, 100)
	again, gone, fresh, first := newID(), newID(), newID(), newID()
	check(t, b.Reserve(ctx, hold(again, shop.LineOf(p, 4))))
	check(t, b.Release(ctx, gone, []int64{p.ID}))
	let := w.holdBack(t, p)
	defer let()
	localtest.Eventually(t, "nothing is under way", func() bool { return b.Stats().Steps.Running == 0 })
	before := b.Stats().Steps
	var all sync.WaitGroup
	reserve := func(order string, want shop.Code) {
		all.Go(func() {
			if err := b.Reserve(ctx, hold(order, shop.LineOf(p, 4))); shop.CodeOf(err) != want {
				t.Errorf("%s: %v", order, err)
			}
		})
	}
	reserve(first, "")
	localtest.Eventually(t, "one reservation is under way", func() bool { return b.Stats().Steps.Running == 1 })
	reserve(again, "")
	reserve(gone, shop.CodeConflict)
	reserve(fresh, "")
	localtest.Eventually(t, "three steps wait for it", func() bool { return b.Stats().Steps.Submitted == before.Submitted+4 })
	let()
	all.Wait()
	if st := b.Stats().Steps; st.Batches != before.Batches+2 || st.Splits+st.Retries != before.Splits+before.Retries {
		t.Errorf("%+v after %+v: the three steps were to share a batch that is undone once", st, before)
	}
	if left := w.left(t, p); left != 88 {
		t.Errorf("%d units are left of 100 with three times four reserved", left)
	}
}
