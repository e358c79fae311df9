package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/stampede-shop/stampede/cache"
)

type cacheCmd struct {
	Stats cacheStatsCmd `cmd:"" help:"Figures of the cache tiers of every API process."`
	Purge cachePurgeCmd `cmd:"" help:"Drop tags or keys from all tiers and processes."`
	Warm  cacheWarmCmd  `cmd:"" help:"Bring what will be asked for into all tiers and processes."`
}

type cacheStatsCmd struct {
	platformFlags
	JSON bool `name:"json" help:"Print JSON."`
}

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
	out := map[string]cache.Stats{}
	for name, raw := range all {
		var part struct {
			Cache *cache.Stats `json:"cache"`
		}
		if json.Unmarshal(raw, &part) == nil && part.Cache != nil {
			out[name] = *part.Cache
		}
	}
	if c.JSON {
		return printJSON(s.Out, out)
	}
	return printCaches(s, out)
}

func printCaches(s streams, stats map[string]cache.Stats) error {
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "PROCESS\tFAMILY\tL1 HITS\tL2 HITS\tLOADS\tHIT RATE\tL1 ENTRIES\tL1 BYTES\tL2")
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		st := stats[name]
		l2 := "none"
		switch {
		case st.L2.Up:
			l2 = "up"
		case st.L2.Configured:
			l2 = "down"
		}
		for _, f := range st.Families {
			hits := f.L1Hits + f.L2Hits + f.NegativeHits
			rate := "-"
			if hits+f.Loads > 0 {
				rate = fmt.Sprintf("%.1f %%", 100*float64(hits)/float64(hits+f.Loads))
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%d\t%d\t%s\n", name, f.Name, f.L1Hits, f.L2Hits, f.Loads, rate, f.L1Entries, f.L1Bytes, l2)
		}
	}
	return w.Flush()
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
