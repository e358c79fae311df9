package main

import (
	"context"
	"fmt"
)

// growthShapes are how many PostgreSQL servers there are, and how many shards on them.
var growthShapes = []struct{ clusters, shards int }{{1, 1}, {1, 2}, {1, 4}, {1, 8}, {2, 4}, {2, 8}}

// benchGrowthShards sells three random products of 10,000 from 1, 2, 4 and 8 shards on one server, and from 4 and 8 on two. Ours is
// eight shards on one server, the anchor one shard.
func benchGrowthShards(ctx context.Context) (result, error) {
	t := newTable("servers", "shards", "checkouts/s", "p50 ms", "p95 ms", "p99 ms", "spread %", "MiB")
	rates := map[string][]float64{}
	for _, s := range growthShapes {
		list, err := growthShape(ctx, s.clusters, s.shards, t)
		if err != nil {
			return result{}, fmt.Errorf("%d shards on %d servers: %w", s.shards, s.clusters, err)
		}
		rates[fmt.Sprintf("%d/%d", s.clusters, s.shards)] = list
	}
	return grown("checkouts/s", rates["1/1"], rates["1/8"], t, map[string]any{"callers": checkoutCallers, "products": shopProducts}), nil
}

func growthShape(ctx context.Context, clusters, shards int, t *table) ([]float64, error) {
	servers, stop, err := startGrown(ctx, clusters)
	if err != nil {
		return nil, err
	}
	defer stop()
	b, err := openGrown(ctx, servers, shards, shopProducts, false)
	if err != nil {
		return nil, err
	}
	defer b.close()
	pick := threeOf(shopProducts)
	if err := b.warm(ctx, pick); err != nil {
		return nil, err
	}
	rates, m, err := b.checkouts(ctx, servers, pick)
	if err != nil {
		return nil, err
	}
	size, err := b.size(ctx)
	if err != nil {
		return nil, err
	}
	t.add(clusters, shards, m.rate, m.p50, m.p95, m.p99, 100*spread(rates), mib(size))
	return rates, b.balanced(ctx)
}
