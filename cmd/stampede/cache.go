package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

type cacheCmd struct {
	Stats cacheStatsCmd `cmd:"" help:"Figures of the cache tiers of every API process."`
	Purge cachePurgeCmd `cmd:"" help:"Drop tags or keys from all tiers and processes."`
}

type cacheStatsCmd struct{ platformFlags }

func (cacheStatsCmd) Help() string { return "Example:\n  stampede cache stats" }

func (c cacheStatsCmd) Run(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := client.Do(ctx, "GET", "/admin/stats", nil, &all); err != nil {
		return err
	}
	out := map[string]json.RawMessage{}
	for name, raw := range all {
		var part struct {
			Cache json.RawMessage `json:"cache"`
		}
		if json.Unmarshal(raw, &part) == nil && part.Cache != nil {
			out[name] = part.Cache
		}
	}
	return printJSON(s.Out, out)
}

type cachePurgeCmd struct {
	platformFlags
	Tag []string `help:"Tags, such as p:42 (one product) or lists." placeholder:"TAG"`
	Key []string `help:"Keys; a product's key is its tag." placeholder:"KEY"`
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
