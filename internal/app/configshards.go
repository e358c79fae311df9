package app

import (
	"slices"

	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// topology is the first map of shards, should the catalogue have none yet.
func (c Config) topology() move.Topology {
	var t move.Topology
	for _, s := range c.Shards {
		t.Shards = append(t.Shards, move.Shard{ID: s.ID, Weight: s.Weight, DSN: s.DSN})
	}
	return t
}

// shardDSN is where a shard is reached: as configured here, else as the topology has it.
func (c Config) shardDSN(s move.Shard) string {
	for _, known := range c.Shards {
		if known.ID == s.ID {
			return known.DSN
		}
	}
	return s.DSN
}

// Ring is the consistent-hash ring of the configured shards.
func (c Config) Ring() (*shard.Ring, error) {
	infos := make([]shard.Info, len(c.Shards))
	for i, s := range c.Shards {
		infos[i] = shard.Info{ID: s.ID, Weight: s.Weight}
	}
	return shard.NewRing(infos...)
}

// onPrimaries is for commands that must see the latest of everything, or are over before a replica has been measured.
func (c Config) onPrimaries() Config {
	c.Catalog.Replicas, c.Shards = nil, slices.Clone(c.Shards)
	for i := range c.Shards {
		c.Shards[i].Replicas = nil
	}
	return c
}
