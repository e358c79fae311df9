package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/edge/httpcache"
)

type cacheCmd struct {
	Stats    cacheStatsCmd    `cmd:"" help:"Figures of the cache tiers of every process."`
	Purge    cachePurgeCmd    `cmd:"" help:"Drop tags or keys from all tiers and processes."`
	Simulate cacheSimulateCmd `cmd:"" help:"Replay a trace of keys through the policy of the tier in memory."`
	Warm     cacheWarmCmd     `cmd:"" help:"Bring what will be asked for into all tiers and processes."`
}

type cacheStatsCmd struct {
	platformFlags
	JSON      bool `name:"json" help:"Print JSON, by process."`
	ByProcess bool `help:"Do not add the processes up."`
}

func (cacheStatsCmd) Help() string {
	return "Example:\n  stampede cache stats\nOf a tier: what it was asked for, had (absences and expired values among them), refused to keep because it " +
		"was invalidated meanwhile, and how long an answer took, to the next power of two. Bytes are held in memory, or written to and read from Redis."
}

func (c cacheStatsCmd) Run(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := client.Do(ctx, "GET", "/admin/stats", nil, &all); err != nil {
		return err
	}
	tiers, edges, out := map[string]cache.Stats{}, map[string]httpcache.Stats{}, map[string]any{}
	for name, raw := range all {
		var part struct {
			Cache *cache.Stats     `json:"cache"`
			Edge  *httpcache.Stats `json:"edge_cache"`
		}
		if json.Unmarshal(raw, &part) != nil {
			continue
		}
		if part.Cache != nil {
			tiers[name], out[name] = *part.Cache, part.Cache
		}
		if part.Edge != nil {
			edges[name], out[name] = *part.Edge, part.Edge
		}
	}
	if c.JSON {
		return printJSON(s.Out, out)
	}
	return errors.Join(printEdges(s, edges), printCaches(s, tiers, c.ByProcess))
}

type cachePurgeCmd struct {
	platformFlags
	Tag []string `help:"Tags, such as p:42 (one product) or lists." placeholder:"TAG"`
	Key []string `help:"Keys: a product's key is its tag; /path or https://host/path is what edges keep of an address." placeholder:"KEY"`
	All bool     `help:"Everything."`
}

func (cachePurgeCmd) Help() string { return "Example:\n  stampede cache purge --tag p:42 --tag lists" }

func (c cachePurgeCmd) Run(ctx context.Context, s streams) error {
	if len(c.Tag)+len(c.Key) == 0 && !c.All {
		return usageError{errors.New("name what to purge: --tag, --key or --all")}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	req := map[string]any{"tags": c.Tag, "keys": c.Key, "all": c.All}
	if err := client.Do(ctx, "POST", "/admin/cache/purge", req, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Err, "purged from every tier and process")
	return err
}
