package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Stock is a shop.StockReader whose answers are at most Options.StockTTL old, or as old as the read took, which is bounded by
// 1 s. It is for showing; whoever reserves asks the store.
type Stock struct {
	next  shop.StockReader
	units *cache.Family[int64]
}

var _ shop.StockReader = (*Stock)(nil)

// NewStock puts s in front of next.
func NewStock(next shop.StockReader, s *cache.Store, o Options) *Stock {
	o = o.withDefaults()
	return &Stock{next: next, units: cache.New[int64](s, "stock", cache.FamilyOptions{TTL: o.StockTTL, L1Bytes: o.L1Bytes / 8,
		L1Only: true, AnyAge: true, LoadTimeout: time.Second, Size: func(any) int { return 8 }})}
}

// Available returns the units left of each product; a product without a stock row has 0.
func (c *Stock) Available(ctx context.Context, productIDs []int64) (map[int64]int64, error) {
	keys := make([]string, len(productIDs))
	for i, id := range productIDs {
		keys[i] = shop.ProductKey(id)
	}
	start := time.Now()
	found, src, err := c.units.GetMany(ctx, keys, c.load)
	observe(ctx, src, false, start)
	if err != nil {
		return nil, answer(ctx, err)
	}
	out := make(map[int64]int64, len(found))
	for k, n := range found {
		out[parseID(k)] = n
	}
	return out, nil
}

func (c *Stock) load(ctx context.Context, missing []string) (map[string]cache.Loaded[int64], error) {
	ids := make([]int64, len(missing))
	for i, k := range missing {
		ids[i] = parseID(k)
	}
	units, err := c.next.Available(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]cache.Loaded[int64], len(ids))
	for i, id := range ids {
		out[missing[i]] = cache.Loaded[int64]{Value: units[id], Tags: []string{TagStock(id)}}
	}
	return out, nil
}
