package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/shard"
)

type shardCmd struct {
	Locate  shardLocateCmd  `cmd:"" help:"Print the shard of each key, KEY<TAB>SHARD a line."`
	Balance shardBalanceCmd `cmd:"" help:"Print how keys spread over the shards."`
	Add     shardAddCmd     `cmd:"" help:"Bring a shard in while the shop is open."`
	Move    shardMoveCmd    `cmd:"" help:"Move keys between shards while the shop is open."`
}

// mapFlags say where the map of a platform is found.
type mapFlags struct {
	Data   string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Config string `type:"input" help:"YAML configuration file." placeholder:"FILE"`
}

// platform is the map of the platform that is configured or in the data folder; nil without one.
func (f mapFlags) platform(ctx context.Context) (shard.Map, error) {
	cfg, err := running.FindConfig(f.Data, f.Config)
	switch {
	case err == nil && len(cfg.Shards) > 0:
		if live, err := app.LiveMap(ctx, cfg); err == nil {
			return live, nil // what is configured is where it began
		}
		return cfg.Ring()
	case f.Config != "" && err != nil:
		return nil, usageError{err}
	}
	return nil, nil
}

// ringOf is the ring of shard1…shardN.
func ringOf(n int) (shard.Map, error) {
	if n < 1 {
		return nil, usageError{fmt.Errorf("--shards %d: at least 1", n)}
	}
	infos := make([]shard.Info, n)
	for i := range infos {
		infos[i].ID = "shard" + strconv.Itoa(i+1)
	}
	return shard.NewRing(infos...)
}

const defaultShards = 4

type shardLocateCmd struct {
	mapFlags
	Shards int      `help:"Use a ring of shard1…shardN instead of a configured one." placeholder:"N"`
	Keys   []string `arg:"" help:"Keys: user ids, product ids, addresses."`
}

func (shardLocateCmd) Help() string { return "Example:\n  stampede shard locate alice bob 42" }

func (c shardLocateCmd) Run(ctx context.Context, s streams) error {
	m, err := c.owners(ctx)
	if err != nil {
		return err
	}
	for _, key := range c.Keys {
		id, err := m.Locate(key)
		if err != nil {
			return usageError{fmt.Errorf("key %q: %w", key, err)}
		}
		if _, err := fmt.Fprintf(s.Out, "%s\t%s\n", key, id); err != nil {
			return err
		}
	}
	return nil
}

// owners is the map that is asked about: the named ring, the platform's map, or the ring of four.
func (c shardLocateCmd) owners(ctx context.Context) (shard.Map, error) {
	if c.Shards != 0 {
		return ringOf(c.Shards)
	}
	if m, err := c.platform(ctx); m != nil || err != nil {
		return m, err
	}
	return ringOf(defaultShards)
}

type shardBalanceCmd struct {
	mapFlags
	Shards []int `help:"Use rings of shard1…shardN instead of a configured one." placeholder:"N,…"`
	Keys   int   `default:"1000000" help:"How many keys to spread."`
	JSON   bool  `name:"json" help:"Print JSON."`
}

func (shardBalanceCmd) Help() string {
	return "Without --shards it is the platform's map; without a platform, rings of 4 and of 64.\n\nExample:\n  stampede shard balance --shards 4,64"
}

func (c shardBalanceCmd) Run(ctx context.Context, s streams) error {
	if c.Keys < 1 {
		return usageError{fmt.Errorf("--keys %d: at least 1", c.Keys)}
	}
	maps, err := c.maps(ctx)
	if err != nil {
		return err
	}
	var all []shard.Balance
	for _, m := range maps {
		b, err := shard.BalanceOf(m, madeKeys(c.Keys))
		if err != nil {
			return err
		}
		all = append(all, b)
	}
	if c.JSON {
		return printJSON(s.Out, all)
	}
	var text strings.Builder
	for _, b := range all {
		writeBalance(&text, b)
	}
	_, err = s.Out.Write([]byte(text.String()))
	return err
}

// maps are what keys are spread over.
func (c shardBalanceCmd) maps(ctx context.Context) ([]shard.Map, error) {
	sizes := c.Shards
	if len(sizes) == 0 {
		if m, err := c.platform(ctx); m != nil || err != nil {
			return []shard.Map{m}, err
		}
		sizes = []int{defaultShards, 64}
	}
	var all []shard.Map
	for _, n := range sizes {
		m, err := ringOf(n)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func madeKeys(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield("key-" + strconv.Itoa(i)) {
				return
			}
		}
	}
}

// writeBalance writes a line for each shard (keys, their share, how far that is from an even one) and one for all of them.
func writeBalance(w io.Writer, b shard.Balance) {
	even := float64(b.Keys) / float64(len(b.Shares))
	off := func(keys float64) float64 { return 100 * (keys/even - 1) }
	least, most, squares := math.Inf(1), math.Inf(-1), 0.
	for _, s := range b.Shares {
		d := off(float64(s.Keys))
		least, most, squares = min(least, d), max(most, d), squares+d*d
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.2f%%\t%+.1f%%\n", s.ID, s.Keys, 100*s.Fraction, d)
	}
	_, _ = fmt.Fprintf(w, "%d shards\t%d\t%.2f%% is even\t%+.1f%% to %+.1f%%, standard deviation %.1f%%\n", len(b.Shares), b.Keys,
		100/float64(len(b.Shares)), least, most, math.Sqrt(squares/float64(len(b.Shares))))
}
