package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard/move"
)

// The whole shop, checkouts, cancellations, registrations and sweeps, goes on while a fifth shard is brought in by a mover that dies at
// every step. No request fails, and the books are clean.
func TestShopGoesOnWhileAShardComesIn(t *testing.T) { bothWays(t, checkShopGoesOnWhileAShardComesIn) }

func checkShopGoesOnWhileAShardComesIn(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	o, next := w.topology(t)
	products := make([]shop.Product, 40)
	for i := range products {
		products[i] = w.product(t, 100_000)
	}
	stop := make(chan struct{})
	var shoppers sync.WaitGroup
	var orders, longest atomic.Int64
	for range 4 {
		shoppers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				if err := w.visit(ctx, s, products); err != nil {
					t.Errorf("a visit failed: %v", err)
				}
				orders.Add(1)
				longest.Store(max(longest.Load(), int64(time.Since(began))))
				if _, err := w.AbandonedCarts(ctx, time.Hour, 10); err != nil {
					t.Errorf("sweep: %v", err)
				}
				time.Sleep(2 * time.Millisecond) // not a wait: the pace of the load
			}
		})
	}
	_, err := move.New(o).Begin(ctx, next)
	check(t, err)
	for _, point := range move.CrashPoints {
		w.dyingMover(t, o, point)
	}
	mv, err := move.New(o).Run(ctx)
	check(t, err)
	close(stop)
	shoppers.Wait()
	t.Logf("%d visits, the longest took %v; %+v", orders.Load(), time.Duration(longest.Load()), mv.Progress)
	if len(w.cluster.Nodes()) != 5 || mv.State != "done" {
		t.Errorf("%s with %d shards", mv.State, len(w.cluster.Nodes()))
	}
	moved := 0
	for _, p := range products {
		if at, _ := w.cluster.Locate(shop.ProductKey(p.ID)); at == "shard5" {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no product moved")
	}
	if b, ok := w.stores.(*postgres.Batched); ok && b.Stats().Steps.Finished == 0 {
		t.Error("nothing went through group commit")
	}
	w.recover(t, s)
	w.drain(t, s)
	w.clean(t)
}

// visit is what one shopper does: sign up, fill a cart, buy, look, and sometimes cancel.
func (w *world) visit(ctx context.Context, s *shop.Checkouts, products []shop.Product) error {
	user := newID()
	_, err := w.Register(ctx, shop.NewUser{ID: user, Email: user + "@example.org", Name: "N", PasswordHash: "h", OpID: newID()})
	if err != nil {
		return err
	}
	p, q := products[rand.N(len(products))], products[rand.N(len(products))]
	for _, line := range []shop.Product{p, q} {
		if _, err := w.AddLine(ctx, user, newID(), shop.LineOf(line, 1), line.Currency); err != nil {
			return err
		}
	}
	cart, err := w.Cart(ctx, user)
	if err != nil {
		return err
	}
	if units := cart.ItemCount; units != 2 {
		return errors.New("the cart lost a line")
	}
	r, err := s.Run(ctx, paying(user, "approve"))
	if err != nil {
		return err
	}
	page, err := w.Orders(ctx, user, 5, "")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(page.Orders, func(o shop.Order) bool { return o.ID == r.Order.ID && o.Status == shop.OrderConfirmed }) {
		return errors.New("the order is not in the list")
	}
	if rand.N(4) == 0 {
		_, err = s.Cancel(ctx, user, r.Order.ID)
	}
	return err
}

// topology makes the cluster of the world follow one with a fifth shard to come.
func (w *world) topology(t *testing.T) (move.Options, move.Topology) {
	t.Helper()
	pool := func(dsn string) *pgxpool.Pool {
		p, err := pgxpool.New(context.Background(), dsn)
		check(t, err)
		t.Cleanup(p.Close)
		return p
	}
	coordinator := pool(localtest.Postgres(t).Database(t))
	_, err := coordinator.Exec(t.Context(), move.CoordinatorSQL)
	check(t, err)
	var top move.Topology
	for _, n := range w.cluster.Nodes() {
		top.Shards = append(top.Shards, move.Shard{ID: n.ID, DSN: n.Pool.Config().ConnString()})
	}
	fifth := localtest.Postgres(t).Database(t)
	check(t, postgres.MigrateShard(t.Context(), fifth))
	open := func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) }
	f := move.Follow(w.cluster, top, move.FollowerOptions{Coordinator: coordinator, ID: "test", Open: open})
	t.Cleanup(f.Close)
	check(t, f.Ready(t.Context()))
	return move.Options{Coordinator: coordinator, Open: open, Tables: postgres.MovingTables(), Window: 100, Grace: 100 * time.Millisecond,
		Limits: move.Limits{Share: 0.9, Active: 1000}}, top.With(move.Shard{ID: "shard5", DSN: fifth})
}

func (w *world) dyingMover(t *testing.T, o move.Options, point string) {
	t.Helper()
	var reached atomic.Bool
	defer func() {
		if p := recover(); p != nil && p != (died{point}) {
			panic(p)
		}
		if !reached.Load() {
			t.Fatalf("the mover did not come to %s", point)
		}
	}()
	o.Crash = func(at string) {
		if at == point && reached.CompareAndSwap(false, true) {
			panic(died{at})
		}
	}
	_, err := move.New(o).Run(t.Context())
	t.Errorf("the mover lived on: %v", err)
}
