package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/shard"
)

type shardCmd struct {
	Locate  shardLocateCmd  `cmd:"" help:"Print the shard of each key, KEY<TAB>SHARD a line."`
	Balance shardBalanceCmd `cmd:"" help:"Print how keys spread over the shards."`
	Add     shardAddCmd     `cmd:"" help:"Bring a shard in while the shop is open."`
	Move    shardMoveCmd    `cmd:"" help:"Move keys between shards while the shop is open."`
}

// ringFlags choose a ring: --shards, a configuration, the platform in the data folder, or the default four shards.
type ringFlags struct {
	Shards int    `help:"Use a ring of shard1…shardN instead of a configured one." placeholder:"N"`
	Data   string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Config string `type:"path" help:"YAML configuration file." placeholder:"FILE"`
}

const defaultShards = 4

func (f ringFlags) ring(ctx context.Context) (shard.Map, error) {
	if f.Shards < 0 {
		return nil, usageError{fmt.Errorf("--shards %d: at least 1", f.Shards)}
	}
	n := f.Shards
	if n == 0 {
		cfg, err := app.FindConfig(f.Data, f.Config)
		if err == nil && len(cfg.Shards) > 0 {
			if live, err := app.LiveMap(ctx, cfg); err == nil {
				return live, nil // what is configured is where it began
			}
			return cfg.Ring()
		}
		if f.Config != "" && err != nil {
			return nil, usageError{err}
		}
		n = defaultShards
	}
	infos := make([]shard.Info, n)
	for i := range infos {
		infos[i].ID = "shard" + strconv.Itoa(i+1)
	}
	return shard.NewRing(infos...)
}

type shardLocateCmd struct {
	ringFlags
	Keys []string `arg:"" help:"Keys: user ids, product ids, addresses."`
}

func (shardLocateCmd) Help() string { return "Example:\n  stampede shard locate alice bob 42" }

func (c shardLocateCmd) Run(ctx context.Context, s streams) error {
	ring, err := c.ring(ctx)
	if err != nil {
		return err
	}
	for _, key := range c.Keys {
		id, err := ring.Locate(key)
		if err != nil {
			return usageError{fmt.Errorf("key %q: %w", key, err)}
		}
		if _, err := fmt.Fprintf(s.Out, "%s\t%s\n", key, id); err != nil {
			return err
		}
	}
	return nil
}

type shardBalanceCmd struct {
	ringFlags
	Keys int `default:"1000000" help:"How many keys to spread."`
}

func (shardBalanceCmd) Help() string { return "Example:\n  stampede shard balance --shards 64" }

func (c shardBalanceCmd) Run(ctx context.Context, s streams) error {
	ring, err := c.ring(ctx)
	if err != nil {
		return err
	}
	if c.Keys < 1 {
		return usageError{fmt.Errorf("--keys %d: at least 1", c.Keys)}
	}
	counts := map[string]int{}
	for i := range c.Keys {
		id, err := ring.Locate("key-" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		counts[id]++
	}
	ids := ring.IDs()
	fair := float64(c.Keys) / float64(len(ids))
	for _, id := range ids {
		_, err := fmt.Fprintf(s.Out, "%s\t%d\t%.2f%%\t%+.1f%%\n", id, counts[id],
			100*float64(counts[id])/float64(c.Keys), 100*(float64(counts[id])/fair-1))
		if err != nil {
			return err
		}
	}
	return nil
}
