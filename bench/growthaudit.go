package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/shard"
)

// balanced fails unless the books balance. The events are taken for relayed first, and what the worker would have followed up since
// may be unsettled: there is none.
func (b *benchShop) balanced(ctx context.Context) error {
	if err := b.cluster.OnAll(ctx, func(ctx context.Context, n shard.Node) error {
		_, err := n.Pool.Exec(ctx, "TRUNCATE outbox")
		return err
	}); err != nil {
		return err
	}
	all, end, err := b.planned(ctx)
	if err != nil {
		return err
	}
	defer end()
	report, err := postgres.Audit(ctx, nil, postgres.NewShards(all, postgres.ShardOptions{}), postgres.AuditOptions{Settle: -1, Grace: 24 * time.Hour, Timeout: 5 * time.Minute})
	for _, r := range report.Rules {
		if r.Broken > 0 {
			err = errors.Join(err, fmt.Errorf("audit: %s broken %d times: %v", r.Name, r.Broken, r.Violations[:min(3, len(r.Violations))]))
		}
	}
	return err
}

// planned is the shards by connections that plan each statement for its values, in any way: those of the shop are set up for a few rows
// by their keys, and would compare every product of a page of the audit with every other.
func (b *benchShop) planned(ctx context.Context) (c *shard.Cluster, end func(), err error) {
	pools := map[string]*pgxpool.Pool{}
	end = func() {
		for _, p := range pools {
			p.Close()
		}
	}
	for id, p := range b.pools {
		cfg := p.Config()
		for _, name := range []string{"plan_cache_mode", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
			delete(cfg.ConnConfig.RuntimeParams, name)
		}
		cfg.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
		if pools[id], err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
			delete(pools, id)
			end()
			return nil, nil, err
		}
	}
	if c, err = shard.New(b.cluster.Map(), pools, shard.Options{Timeout: -1}); err != nil {
		end()
	}
	return c, end, err
}
