package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// Reserve implements shop.StockStore. Each shard holds all of its lines or none, in one round trip.
func (s *Shards) Reserve(ctx context.Context, r shop.Reservation) error {
	lines, ids, err := linesByID(r)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var short []shop.LineError
	var gone bool
	err = s.perShard(ctx, ids, func(ctx context.Context, n shard.Node, ids []int64) error {
		seen, err := s.reserveOn(ctx, n, r, lines, ids)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		missing, released := judge(seen, lines)
		short, gone = append(short, missing...), gone || released
		return nil
	})
	return reserveOutcome(r.OrderID, short, gone, err)
}

// linesByID checks the lines of a reservation.
func linesByID(r shop.Reservation) (map[int64]shop.Line, []int64, error) {
	lines := make(map[int64]shop.Line, len(r.Lines))
	ids := make([]int64, 0, len(r.Lines))
	for _, l := range r.Lines {
		if l.Quantity < 1 {
			return nil, nil, shop.Invalid("quantity", "must be at least 1")
		}
		if _, twice := lines[l.ProductID]; twice {
			return nil, nil, fmt.Errorf("postgres: two lines of product %d in order %s", l.ProductID, r.OrderID)
		}
		lines[l.ProductID] = l
		ids = append(ids, l.ProductID)
	}
	return lines, ids, nil
}

// reserveOutcome is what the caller of Reserve is told.
func reserveOutcome(orderID string, short []shop.LineError, gone bool, err error) error {
	switch {
	case err != nil: // an unknown part of it is held; the checkout stays open and is settled by whoever comes next
		return err
	case gone:
		return shop.Errorf(shop.CodeConflict, "the reservation of order %s was released", orderID)
	case len(short) > 0:
		slices.SortFunc(short, func(a, b shop.LineError) int { return cmp.Compare(a.ProductID, b.ProductID) })
		return &shop.Error{Code: shop.CodeOutOfStock, Lines: short,
			Detail: "some products are sold out or have too few units left: lower the quantity or remove them"}
	}
	return nil
}

func (s *Shards) reserveOn(ctx context.Context, n shard.Node, r shop.Reservation, lines map[int64]shop.Line,
	ids []int64) ([]sharddb.ReserveRow, error) {
	quantities := make([]int64, len(ids))
	for i, id := range ids {
		quantities[i] = lines[id].Quantity
	}
	p := newPipe()
	_ = p.LockStock(ctx, ids)
	_, _ = p.Reserve(ctx, sharddb.ReserveParams{OrderID: r.OrderID, UserID: r.UserID, ProductIds: ids,
		Quantities: quantities, ExpiresAt: timestamp(r.ExpiresAt), Traceparent: traceparent(ctx)})
	seen := collect[sharddb.ReserveRow](p)
	err := p.send(ctx, n.Pool)
	return seen.all, err
}

// judge tells which lines of a shard are short, and whether one was released or returned before. A line that is
// neither held nor short was raced by a release.
func judge(seen []sharddb.ReserveRow, lines map[int64]shop.Line) (short []shop.LineError, gone bool) {
	unheld := false
	for _, row := range seen {
		switch {
		case row.Before == "released" || row.Before == "returned":
			gone = true
		case row.Before != "" || row.Held:
		case row.Available < row.Quantity:
			short = append(short, shop.LineError{ProductID: row.ProductID, Name: lines[row.ProductID].Name,
				Requested: row.Quantity, Available: row.Available})
		default:
			unheld = true
		}
	}
	return short, gone || (unheld && len(short) == 0)
}
