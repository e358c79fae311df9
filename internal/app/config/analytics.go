package config

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/analytics"
)

// AnalyticsConfig says whether events are collected, and where the process that stores them keeps them.
type AnalyticsConfig struct {
	Enabled     bool   `koanf:"enabled"`          // API, worker and edge report events; POST /events takes them
	Address     string `koanf:"address"`          // operations endpoint of the analytics process: host:port or unix:PATH, for commands
	Store       string `koanf:"store"`            // what the analytics process stores in: duckdb or clickhouse
	Dir         string `koanf:"dir"`              // where, and what it cannot read: only that process needs it
	DSN         string `koanf:"dsn" secret:"dsn"` // of ClickHouse: clickhouse://user:password@host:9000/database
	MemoryMiB   int    `koanf:"memory_mib"`       // the store may use
	QueueMiB    int    `koanf:"queue_mib"`        // of events that wait to be stored; beyond it none are taken
	CompactDays int    `koanf:"compact_days"`     // days after which events go into Parquet files; 0 never
	KeepDays    int    `koanf:"keep_days"`        // days after which they are deleted; 0 never

	Sample map[string]float64 `koanf:"sample"` // shares of kinds that are stored only in part, such as view: 0.1; orders never are
}

func defaultAnalytics() AnalyticsConfig {
	return AnalyticsConfig{Store: "duckdb", MemoryMiB: 1024, QueueMiB: 1024, CompactDays: 2, KeepDays: 400}
}

func (c Config) validateAnalytics(bad complain) {
	a := c.Analytics
	for _, n := range []struct {
		key       string
		v, lo, hi int
	}{{"memory_mib", a.MemoryMiB, 64, 1 << 20}, {"queue_mib", a.QueueMiB, 1, 1 << 20}, {"compact_days", a.CompactDays, 0, 36500}, {"keep_days", a.KeepDays, 0, 36500}} {
		if n.v < n.lo || n.v > n.hi {
			bad("analytics."+n.key, n.v, fmt.Sprintf("%d to %d", n.lo, n.hi))
		}
	}
	if _, err := analytics.ParseSample(a.Sample); err != nil {
		bad("analytics.sample", a.Sample, err.Error())
	}
	if !slices.Contains([]string{"duckdb", "clickhouse"}, a.Store) {
		bad("analytics.store", quote(a.Store), "duckdb or clickhouse")
	}
	if a.DSN != "" && !strings.HasPrefix(a.DSN, "clickhouse://") {
		bad("analytics.dsn", quote("…"), "like clickhouse://user:password@host:9000/database")
	}
	if a.Enabled && c.NATS.URL == "" {
		bad("analytics.enabled", true, "only with nats.url, over which events go")
	}
}

// OpenAnalyticsStore opens what events are stored in.
type OpenAnalyticsStore func(ctx context.Context, cfg AnalyticsConfig, log *slog.Logger) (analytics.Store, error)

// AnalyticsStores are the stores that this program has been linked with, by name.
var AnalyticsStores = map[string]OpenAnalyticsStore{}

// RegisterAnalyticsStore makes a store known under the name that analytics.store has: stores are heavy, and only the program that runs
// the role links them. To be called before anything else.
func RegisterAnalyticsStore(name string, open OpenAnalyticsStore) { AnalyticsStores[name] = open }
