package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

const (
	shopShards   = 4
	shopProducts = 10_000
	shopSlots    = 4 // as many as shards: they move in step, and share a flush of the log
)

// benchShop is the shop below HTTP: four shards, each a database of the server, and a catalogue in memory, as it is in
// the first cache of a process that is warm.
type benchShop struct {
	cluster *shard.Cluster
	shards  *postgres.Shards
	batched *postgres.Batched
	saga    *shop.Checkouts
	pools   map[string]*pgxpool.Pool
	shelf   shelf
	pay     *provider
}

// shelf is the catalogue: product i is 1..shopProducts.
type shelf []shop.Product

func (s shelf) Product(_ context.Context, id int64) (shop.Product, error) { return s[id-1], nil }

func (s shelf) Products(_ context.Context, ids []int64) ([]shop.Product, error) {
	out := make([]shop.Product, len(ids))
	for i, id := range ids {
		out[i] = s[id-1]
	}
	return out, nil
}

func (s shelf) ListProducts(context.Context, shop.ProductQuery) (shop.ProductPage, error) {
	return shop.ProductPage{}, errors.New("not on this shelf")
}

// openShop is a shop with four shards on one server; plain leaves group commit out.
func openShop(ctx context.Context, s *pgServer, plain bool) (*benchShop, error) {
	return openGrown(ctx, []*pgServer{s}, shopShards, shopProducts, plain)
}

func (b *benchShop) close() {
	if b.batched != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.batched.Close(ctx)
	}
	for _, p := range b.pools {
		p.Close()
	}
}

// threeRandom are three different products, oneHot the one that everybody wants.
func threeRandom() []int64 {
	a, b, c := rand.Int64N(shopProducts), rand.Int64N(shopProducts-1), rand.Int64N(shopProducts-2)
	if b >= a {
		b++
	}
	for _, taken := range []int64{min(a, b), max(a, b)} {
		if c >= taken {
			c++
		}
	}
	return []int64{a + 1, b + 1, c + 1}
}

func oneHot() []int64 { return []int64{1} }

// fill makes n shoppers with one unit of each of the products in their carts, and brings statistics up to date.
func (b *benchShop) fill(ctx context.Context, n int, pick func() []int64) ([]string, error) {
	users := make([]string, n)
	carts, items := map[string][][]any{}, map[string][][]any{}
	for i := range users {
		users[i] = uuid.Must(uuid.NewV7()).String()
		at, err := b.cluster.Locate(users[i])
		if err != nil {
			return nil, err
		}
		ids := pick()
		carts[at] = append(carts[at], []any{users[i], int64(len(ids)), "USD", users[i], users[i]})
		for _, id := range ids {
			p := b.shelf[id-1]
			items[at] = append(items[at], []any{users[i], p.ID, p.SKU, p.Name, int64(1), p.Price})
		}
	}
	err := b.cluster.OnAll(ctx, func(_ context.Context, node shard.Node) error {
		_, err := node.Pool.CopyFrom(ctx, pgx.Identifier{"carts"}, []string{"user_id", "version", "currency", "created_by", "updated_by"},
			pgx.CopyFromRows(carts[node.ID]))
		if err == nil {
			_, err = node.Pool.CopyFrom(ctx, pgx.Identifier{"cart_items"}, []string{"user_id", "product_id", "sku", "name", "quantity", "unit_price"},
				pgx.CopyFromRows(items[node.ID]))
		}
		if err == nil {
			_, err = node.Pool.Exec(ctx, "VACUUM ANALYZE carts, cart_items")
		}
		return err
	})
	return users, err
}

// warm sells some carts, so that no table is empty, and brings the planner's statistics up to date, as autovacuum has
// done in a shop that is open for a minute.
func (b *benchShop) warm(ctx context.Context, pick func() []int64) error {
	users, err := b.fill(ctx, 2000, pick)
	if err != nil {
		return err
	}
	if _, err := b.buy(ctx, users, checkoutCallers, time.Minute); err != nil {
		return err
	}
	return b.cluster.OnAll(ctx, func(_ context.Context, node shard.Node) error {
		_, err := node.Pool.Exec(ctx, "VACUUM ANALYZE")
		return err
	})
}

// buy lets callers buy one cart after the other until time is over or all are bought.
func (b *benchShop) buy(ctx context.Context, users []string, callers int, d time.Duration) (m measured, err error) {
	var next, failed atomic.Int64
	times := make([][]time.Duration, callers)
	start := time.Now()
	var firstErr atomic.Value
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for time.Since(start) < d {
				i := int(next.Add(1)) - 1
				if i >= len(users) {
					return
				}
				began := time.Now()
				r, err := b.saga.Run(ctx, shop.CheckoutRequest{UserID: users[i], ArrivedAt: began,
					Key: shop.CheckoutKey{Key: users[i], Hash: []byte("0123456789abcdef0123456789abcdef")}})
				if err != nil || r.Order.Status != shop.OrderConfirmed {
					failed.Add(1)
					firstErr.CompareAndSwap(nil, fmt.Errorf("checkout: status %q: %w", r.Order.Status, err))
					continue
				}
				times[c] = append(times[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	var all []time.Duration
	for _, t := range times {
		all = append(all, t...)
	}
	m.rate = float64(len(all)) / took.Seconds()
	m.p50, m.p99 = quantiles(all)
	if failed.Load() > 0 {
		err, _ = firstErr.Load().(error)
	}
	return m, err
}

// audit fails unless the books balance, payments with the provider's ledger, too. No worker is running: what it would follow up is
// not looked for.
func (b *benchShop) audit(ctx context.Context) error {
	if err := b.pay.audit(ctx, b); err != nil {
		return err
	}
	return b.balanced(ctx)
}
