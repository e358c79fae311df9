package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// startGrown starts servers set up like that of the comparison of checkouts.
func startGrown(ctx context.Context, n int) (servers []*pgServer, stop func(), err error) {
	stop = func() {
		for _, s := range servers {
			s.stop()
		}
	}
	for range n {
		s, err := startPG(ctx, pg.Settings{"min_wal_size": "4GB", "max_wal_size": "6GB"})
		if err != nil {
			stop()
			return nil, nil, err
		}
		servers = append(servers, s)
	}
	return servers, stop, nil
}

// openGrown makes the databases of the shards, given to the servers in turn, the stock of every product, and the saga; plain
// leaves group commit out.
func openGrown(ctx context.Context, servers []*pgServer, shards, products int, plain bool) (_ *benchShop, err error) {
	b := &benchShop{pools: map[string]*pgxpool.Pool{}, pay: &provider{}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	var infos []shard.Info
	for i := range shards {
		id := fmt.Sprintf("shard%d", i+1)
		if b.pools[id], err = openShard(ctx, servers[i%len(servers)], id); err != nil {
			return nil, err
		}
		infos = append(infos, shard.Info{ID: id})
	}
	ring, err := shard.NewRing(infos...)
	if err != nil {
		return nil, err
	}
	if b.cluster, err = shard.New(ring, b.pools, shard.Options{}); err != nil {
		return nil, err
	}
	b.shards = postgres.NewShards(b.cluster, postgres.ShardOptions{})
	b.saga = &shop.Checkouts{Store: b.shards, Orders: b.shards, Stock: b.shards, Carts: b.shards, Products: b, Pay: b.pay,
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() }, Now: time.Now, CommitLater: !plain}
	if !plain {
		b.batched = postgres.NewBatched(b.shards, postgres.BatchedOptions{Slots: shopSlots})
		b.saga.Store, b.saga.Orders, b.saga.Stock, b.saga.Carts = b.batched, b.batched, b.batched, b.batched
	}
	return b, b.stock(ctx, products)
}

func openShard(ctx context.Context, s *pgServer, id string) (*pgxpool.Pool, error) {
	if err := s.EnsureDatabase(ctx, id); err != nil {
		return nil, err
	}
	if err := postgres.MigrateShard(ctx, s.DSN(id)); err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(s.DSN(id))
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 16
	postgres.TuneShardPool(cfg)
	return pgxpool.NewWithConfig(ctx, cfg)
}

// stock lets the shop have n products, with more of each than will be sold.
func (b *benchShop) stock(ctx context.Context, n int) error {
	var seeds []postgres.StockSeed
	for id := int64(len(b.shelf)) + 1; id <= int64(n); id++ {
		b.shelf = append(b.shelf, shop.Product{ID: id, SKU: fmt.Sprintf("SKU-%05d", id), Name: fmt.Sprintf("Product number %d", id),
			Price: 1000 + id%10_000, Currency: "USD"})
		seeds = append(seeds, postgres.StockSeed{ProductID: id, Units: 1_000_000_000})
	}
	return b.shards.SeedStock(ctx, seeds)
}

// The shop is its own catalogue, so that products can be added to the shelf.

func (b *benchShop) Product(ctx context.Context, id int64) (shop.Product, error) {
	return b.shelf.Product(ctx, id)
}

func (b *benchShop) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	return b.shelf.Products(ctx, ids)
}

func (b *benchShop) ListProducts(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	return b.shelf.ListProducts(ctx, q)
}

// threeOf picks three different ones of n products.
func threeOf(n int) func() []int64 {
	return func() []int64 {
		var ids []int64
		for len(ids) < 3 {
			if id := 1 + rand.Int64N(int64(n)); len(ids) == 0 || ids[0] != id && ids[len(ids)-1] != id {
				ids = append(ids, id)
			}
		}
		return ids
	}
}

// buyTimed lets 64 callers buy one cart after the other until d is over or all are bought, and gives the times of the whole
// checkouts.
func (b *benchShop) buyTimed(ctx context.Context, users []string, d time.Duration) (timing, error) {
	var next atomic.Int64
	return hammerTimed(ctx, checkoutCallers, d, func(ctx context.Context) error {
		i := int(next.Add(1)) - 1
		if i >= len(users) {
			return errEnough
		}
		r, err := b.saga.Run(ctx, shop.CheckoutRequest{UserID: users[i], ArrivedAt: time.Now(),
			Key: shop.CheckoutKey{Key: users[i], Hash: []byte("0123456789abcdef0123456789abcdef")}})
		if err == nil && r.Order.Status != shop.OrderConfirmed {
			err = fmt.Errorf("checkout: status %q", r.Order.Status)
		}
		return err
	})
}
