package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// maxSweep bounds what one sweep takes on from one shard.
const maxSweep = 10_000

// held is a reservation that a sweep looks at.
type held struct {
	orderID   string
	productID int64
}

// SweepReservations looks at up to limit reservations of each shard that are held past their expiry, and settles them
// as the buyer's checkout says: confirmed, they are committed; failed or unknown, they are released; while it is open
// they are left to ExpiredCheckouts. It tells how many orders it settled. Any number of workers may run it at once.
func (s *Shards) SweepReservations(ctx context.Context, limit int) (int, error) {
	expired, err := s.gatherHeld(ctx, func(ctx context.Context, q *sharddb.Queries) (out []held, err error) {
		found, err := q.ExpiredReservations(ctx, int32(min(limit, maxSweep)))
		for _, r := range found {
			out = append(out, held{r.OrderID, r.ProductID})
		}
		return out, err
	})
	states, serr := s.checkoutStates(ctx, expired)
	err = errors.Join(err, serr)
	n := 0
	for id, products := range productsByOrder(expired) {
		state, known := states[id]
		var fix func(context.Context, string, []int64) error
		switch {
		case known && state.State == string(shop.CheckoutConfirmed):
			fix = s.Commit
		case known && state.State == string(shop.CheckoutOpen), !known && serr != nil:
			continue
		default:
			fix = s.Release
		}
		if ferr := fix(ctx, id, products); ferr != nil {
			err = errors.Join(err, ferr)
			continue
		}
		n++
	}
	return n, err
}

// AbandonedCarts marks up to limit carts of each shard that hold something and were not edited for idle, and writes a
// cart.abandoned event for each, once per version of a cart. It tells how many.
func (s *Shards) AbandonedCarts(ctx context.Context, idle time.Duration, limit int) (int, error) {
	var n atomic.Int64
	err := s.c.OnAll(ctx, func(ctx context.Context, node shard.Node) error {
		told, err := sharddb.New(node.Pool).AbandonedCarts(ctx, sharddb.AbandonedCartsParams{
			Idle:    pgtype.Interval{Microseconds: idle.Microseconds(), Valid: true},
			MaxRows: int32(min(limit, maxSweep)), Traceparent: traceparent(ctx)})
		n.Add(int64(len(told)))
		return err
	})
	return int(n.Load()), err
}

// PurgeOldKeys deletes up to limit of each on each shard: idempotency keys older than 24 h, expired sessions, and the
// released reservations of checkouts that were finished more than 24 h ago. It tells how many rows went.
func (s *Shards) PurgeOldKeys(ctx context.Context, limit int) (int64, error) {
	rows := int32(min(limit, maxSweep))
	var n atomic.Int64
	err := s.c.OnAll(ctx, func(ctx context.Context, node shard.Node) error {
		q := sharddb.New(node.Pool)
		keys, err := q.PurgeKeys(ctx, rows)
		sessions, serr := q.PurgeSessions(ctx, rows)
		n.Add(keys + sessions)
		return errors.Join(err, serr)
	})
	stones, terr := s.purgeTombstones(ctx, rows)
	return n.Load() + stones, errors.Join(err, terr)
}

// purgeTombstones asks the buyers' shards first whether anybody may still be reserving.
func (s *Shards) purgeTombstones(ctx context.Context, limit int32) (int64, error) {
	old, err := s.gatherHeld(ctx, func(ctx context.Context, q *sharddb.Queries) (out []held, err error) {
		found, err := q.OldTombstones(ctx, limit)
		for _, r := range found {
			out = append(out, held{r.OrderID, r.ProductID})
		}
		return out, err
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	states, err := s.checkoutStates(ctx, old)
	if err != nil {
		return 0, err
	}
	var done []string
	for id := range productsByOrder(old) {
		if state, known := states[id]; !known || state.Old {
			done = append(done, id)
		}
	}
	var n atomic.Int64
	err = s.c.OnAll(ctx, func(ctx context.Context, node shard.Node) error {
		gone, err := sharddb.New(node.Pool).DropTombstones(ctx, done)
		n.Add(gone)
		return err
	})
	return n.Load(), err
}

func (s *Shards) gatherHeld(ctx context.Context, find func(context.Context, *sharddb.Queries) ([]held, error)) ([]held, error) {
	var mu sync.Mutex
	var all []held
	err := s.c.OnAll(ctx, func(ctx context.Context, n shard.Node) error {
		some, err := find(ctx, sharddb.New(n.Pool))
		mu.Lock()
		all = append(all, some...)
		mu.Unlock()
		return err
	})
	return all, err
}

// checkoutStates looks the orders' checkouts up on every shard: neither an order id nor a tombstone that came before its
// reserve tells the buyer. With an error, what is missing from the answer may exist.
func (s *Shards) checkoutStates(ctx context.Context, of []held) (map[string]sharddb.CheckoutStatesRow, error) {
	states := map[string]sharddb.CheckoutStatesRow{}
	if len(of) == 0 {
		return states, nil
	}
	var ids []string
	for id := range productsByOrder(of) {
		ids = append(ids, id)
	}
	var mu sync.Mutex
	err := s.c.OnAll(ctx, func(ctx context.Context, n shard.Node) error {
		found, err := sharddb.New(n.Pool).CheckoutStates(ctx, ids)
		mu.Lock()
		defer mu.Unlock()
		for _, r := range found {
			states[r.OrderID] = r
		}
		return err
	})
	return states, err
}

func productsByOrder(all []held) map[string][]int64 {
	byOrder := map[string][]int64{}
	for _, h := range all {
		byOrder[h.orderID] = append(byOrder[h.orderID], h.productID)
	}
	return byOrder
}
