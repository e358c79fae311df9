package cached

import (
	"context"
	"maps"
	"sync"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// WarmProducts makes sure that products are in every tier that this process fills. loaded are those that the database was asked
// for; absent ones do not exist. Products that are there already cost no more than a look.
func (c *Products) WarmProducts(ctx context.Context, ids []int64) (loaded, absent []int64, err error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = shop.ProductKey(id)
	}
	var mu sync.Mutex // what another caller loads for us may go on when we have left
	asked := map[string]bool{}
	found, _, err := c.product.GetMany(ctx, keys, func(ctx context.Context, missing []string) (map[string]cache.Loaded[*shop.EncodedProduct], error) {
		mu.Lock()
		for _, k := range missing {
			asked[k] = true
		}
		mu.Unlock()
		return c.loadMany(ctx, missing)
	})
	if err != nil {
		return nil, nil, answer(ctx, err)
	}
	mu.Lock()
	asked = maps.Clone(asked)
	mu.Unlock()
	for i, k := range keys {
		if _, ok := found[k]; !ok {
			absent = append(absent, ids[i])
		} else if asked[k] {
			loaded = append(loaded, ids[i])
		}
	}
	return loaded, absent, nil
}
