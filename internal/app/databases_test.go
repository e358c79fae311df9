package app

import (
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// Databases on the same servers are one cluster, in whatever order a DSN names these.
func TestClustersByServers(t *testing.T) {
	t.Parallel()
	d := newDatabases(config.Default(), slog.New(slog.DiscardHandler), nil)
	t.Cleanup(d.close)
	name := func(dsn string) string {
		c, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return d.clusterOf(c).name
	}
	for _, c := range [][2]string{
		{"postgres:///catalog?host=/s,/s&port=5432,5433&target_session_attrs=read-write", "1"},
		{"postgres:///shard1?host=/s,/s&port=5433,5432", "1"},
		{"postgres:///shard2?host=/s,/s&port=5452,5453", "2"},
		{"postgres://a,b/shard3?sslmode=disable", "3"},
		{"host=b,a port=5432 dbname=shard4 sslmode=prefer", "3"},
		{"postgres://a/shard5", "4"},
		{"postgres:///shard6?host=/s,/s&port=5453,5452", "2"},
	} {
		if got := name(c[0]); got != c[1] {
			t.Errorf("%s is in cluster %s, not %s", c[0], got, c[1])
		}
	}
}

// A pool is opened with what it needs, and is not a pool that waits at another cluster's gate.
func TestWriterPools(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Catalog.PoolSize = 7
	d := newDatabases(cfg, slog.New(slog.DiscardHandler), nil)
	t.Cleanup(d.close)
	p, err := d.writer(t.Context(), "shard1", "postgres:///shard1?host=/nowhere", postgres.TuneShardPool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := p.Config()
	if c.MaxConns != 7 || c.BeforeConnect == nil || c.ConnConfig.ValidateConnect == nil || c.ConnConfig.RuntimeParams["plan_cache_mode"] != "force_generic_plan" {
		t.Errorf("%+v %v", c, c.ConnConfig.RuntimeParams)
	}
	if _, err := d.writer(t.Context(), "shard2", "postgres://%", nil); err == nil {
		t.Error("a broken DSN was taken")
	}
	readers, err := d.readers(t.Context(), "catalog", []config.ServerConfig{{DSN: "host=/a"}, {Name: "west", DSN: "host=/b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(readers)
	if len(readers) != 2 || readers[0].Name != "replica-1" || readers[1].Name != "west" ||
		readers[0].Pool.Config().ConnConfig.RuntimeParams["default_transaction_read_only"] != "on" {
		t.Errorf("%+v", readers)
	}
	if _, err := d.readers(t.Context(), "catalog", []config.ServerConfig{{DSN: "host=/a"}, {DSN: "postgres://%"}}); err == nil {
		t.Error("a broken DSN of a replica was taken")
	}
}

// All processes together stay below what a server accepts, as long as there are not very many.
func TestPoolSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ apis, shards, clusters int }{{1, 4, 1}, {2, 4, 1}, {8, 4, 1}, {4, 16, 2}, {2, 64, 4}} {
		p := &platform{o: UpOptions{APIs: c.apis}, layout: &local.Layout{}}
		for i := range c.shards {
			p.layout.Shards = append(p.layout.Shards, local.Shard{Cluster: 1 + i%c.clusters})
		}
		size := p.poolSize()
		if used := (c.apis + 1) * (size*(c.shards/c.clusters+2) + 8); size < 2 || size > 12 || used > local.MaxConnections-40 && size > 2 {
			t.Errorf("%+v: pools of %d, %d connections", c, size, used)
		}
	}
}

func TestClusterIn(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{"/d/primary1": 1, "/d/primary12": 12, "/d/replica3-2": 3, "/d/replica": 0, "/d/primary": 0, "/d/other1": 0} {
		if n, ok := clusterIn(dir); n != want || ok != (want > 0) {
			t.Errorf("%s is of cluster %d, %v", dir, n, ok)
		}
	}
}
