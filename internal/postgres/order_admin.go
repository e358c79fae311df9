package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// RecentOrders are the newest orders of all shoppers, newest first, for the administrator; with an id, that one alone, if there
// is such an order. limit is cut to 1..100. A shard that does not answer fails the call: half a list would look whole.
func (s *Shards) RecentOrders(ctx context.Context, id string, limit int) ([]shop.Order, error) {
	limit = max(1, min(limit, maxOrderPage))
	found, err := shard.Gather(ctx, s.c, shard.RequireAll, func(ctx context.Context, n shard.Node) ([]sharddb.RecentOrdersRow, error) {
		return sharddb.New(n.Pool).RecentOrders(ctx, sharddb.RecentOrdersParams{ID: id, MaxRows: int32(limit)})
	})
	if err != nil {
		return nil, err
	}
	orders := []shop.Order{}
	for _, part := range found.All {
		for _, row := range part.Value {
			o, err := toOrder(sharddb.ListOrdersRow(row))
			if err != nil {
				return nil, err
			}
			orders = append(orders, o)
		}
	}
	slices.SortFunc(orders, func(a, b shop.Order) int { return cmp.Compare(b.ID, a.ID) })
	return orders[:min(len(orders), limit)], nil
}
