package config

import (
	"slices"

	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// Topology is the first map of shards, should the catalogue have none yet.
func (c Config) Topology() move.Topology {
	var t move.Topology
	for _, s := range c.Shards {
		t.Shards = append(t.Shards, move.Shard{ID: s.ID, Weight: s.Weight, DSN: s.DSN})
	}
	return t
}

// ShardDSN is where a shard is reached: as configured here, else as the topology has it.
func (c Config) ShardDSN(s move.Shard) string {
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

// OnPrimaries is for commands that must see the latest of everything, or are over before a replica has been measured.
func (c Config) OnPrimaries() Config {
	c.Catalog.Replicas, c.Shards = nil, slices.Clone(c.Shards)
	for i := range c.Shards {
		c.Shards[i].Replicas = nil
	}
	return c
}
