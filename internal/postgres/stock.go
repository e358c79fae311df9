package postgres

import (
	"context"
	"slices"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// maxStock bounds the units of one product, far from where sums overflow.
const maxStock = 1_000_000_000

// Available implements shop.StockReader.
func (s *Shards) Available(ctx context.Context, productIDs []int64) (map[int64]int64, error) {
	left := make(map[int64]int64, len(productIDs))
	for _, id := range productIDs {
		left[id] = 0
	}
	var mu sync.Mutex
	err := s.perShard(ctx, productIDs, func(ctx context.Context, n shard.Node, ids []int64) error {
		found, err := sharddb.New(n.Pool).Available(ctx, ids)
		mu.Lock()
		defer mu.Unlock()
		for _, r := range found {
			left[r.ProductID] = r.Available
		}
		return err
	})
	return left, err
}

// SetAvailable implements shop.StockStore.
func (s *Shards) SetAvailable(ctx context.Context, actor string, productID, units int64) error {
	if units < 0 || units > maxStock {
		return shop.Invalid("available", "must be 0 to %d", maxStock)
	}
	return s.on(ctx, shop.ProductKey(productID), func(ctx context.Context, n shard.Node) error {
		return sharddb.New(n.Pool).SetAvailable(ctx, sharddb.SetAvailableParams{ProductID: productID, Available: units,
			Actor: actor, Traceparent: traceparent(ctx)})
	})
}

// seedBatch bounds the rows of one statement.
const seedBatch = 5000

// SeedStock gives products their first stock and leaves those that have some alone. It is for imports: no stock.level
// events are written. The call's time-out counts for each batch of 5 000.
func (s *Shards) SeedStock(ctx context.Context, seeds []StockSeed) error {
	units := make(map[int64]int64, len(seeds))
	ids := make([]int64, 0, len(seeds))
	for _, d := range seeds {
		if d.Units < 0 || d.Units > maxStock {
			return shop.Invalid("stock", "must be 0 to %d", maxStock)
		}
		if _, twice := units[d.ProductID]; !twice {
			ids = append(ids, d.ProductID)
		}
		units[d.ProductID] = d.Units
	}
	for batch := range slices.Chunk(ids, seedBatch) {
		err := s.perShard(ctx, batch, func(ctx context.Context, n shard.Node, ids []int64) error {
			available := make([]int64, len(ids))
			for i, id := range ids {
				available[i] = units[id]
			}
			return sharddb.New(n.Pool).SeedStock(ctx, sharddb.SeedStockParams{Actor: "import", ProductIds: ids, Available: available})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Commit implements shop.StockStore. CodeConflict when units were released: they are not this order's any more.
func (s *Shards) Commit(ctx context.Context, orderID string, productIDs []int64) error {
	return s.perShard(ctx, productIDs, func(ctx context.Context, n shard.Node, ids []int64) error {
		sold, err := commitOn(ctx, n, orderID, ids)
		// One that changes the row at the same time hides it from a look; a row still changes twice at most from here.
		for look := 0; err == nil && sold != len(ids) && look < 2; look++ {
			sold, err = commitOn(ctx, n, orderID, ids)
		}
		if err != nil {
			return err
		}
		if sold != len(ids) {
			return shop.Errorf(shop.CodeConflict, "order %s holds only %d of %d reservations on %s", orderID, sold, len(ids), n.ID)
		}
		return nil
	})
}

// commitOn tells how many of an order's reservations on a shard are sold. One whose row changed under the statement is
// not counted.
func commitOn(ctx context.Context, n shard.Node, orderID string, ids []int64) (sold int, err error) {
	found, err := sharddb.New(n.Pool).CommitReservations(ctx, sharddb.CommitReservationsParams{OrderID: orderID, ProductIds: ids})
	for _, r := range found {
		if r.State == "committed" || r.State == "returned" {
			sold++
		}
	}
	return sold, err
}

// Release implements shop.StockStore.
func (s *Shards) Release(ctx context.Context, orderID string, productIDs []int64) error {
	return s.giveBack(ctx, productIDs, sharddb.GiveBackParams{OrderID: orderID, State: "released",
		Gives: []string{"held"}, Tombstone: true, Actor: "release"})
}

// Return implements shop.StockStore. Units that were not committed yet are returned all the same: the order was
// confirmed, and a commit that comes later changes nothing.
func (s *Shards) Return(ctx context.Context, orderID string, productIDs []int64) error {
	return s.giveBack(ctx, productIDs, sharddb.GiveBackParams{OrderID: orderID, State: "returned",
		Gives: []string{"held", "committed"}, Actor: "return"})
}

func (s *Shards) giveBack(ctx context.Context, productIDs []int64, params sharddb.GiveBackParams) error {
	return s.perShard(ctx, productIDs, func(ctx context.Context, n shard.Node, ids []int64) error {
		params := params
		params.ProductIds, params.Traceparent = ids, traceparent(ctx)
		p := newPipe()
		_ = p.LockStock(ctx, ids)
		_ = p.GiveBack(ctx, params)
		return p.send(ctx, n.Pool)
	})
}

// perShard runs fn once on each shard that owns some of the products, in parallel, with those products in order.
func (s *Shards) perShard(ctx context.Context, productIDs []int64, fn func(context.Context, shard.Node, []int64) error) error {
	return followingEach(ctx, s, productIDs, shop.ProductKey, func(ctx context.Context, n shard.Node, ids []int64) error {
		slices.Sort(ids)
		return fn(ctx, n, slices.Compact(ids))
	})
}
