// Command bench runs the benchmarks by name, all without arguments. Each prints as its last line one JSON object with
// name, unit, ours, and, where there is something to compare with, anchor and ratio; others_cpu is the share of the
// machine that other processes used meanwhile.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// result is a benchmark's last line.
type result struct {
	Name      string         `json:"name"`
	Unit      string         `json:"unit"`
	Ours      float64        `json:"ours"`
	Anchor    float64        `json:"anchor,omitempty"`
	Ratio     float64        `json:"ratio,omitempty"`
	Spread    float64        `json:"spread"` // (largest - smallest) / median of ours
	Runs      int            `json:"runs"`
	OthersCPU float64        `json:"others_cpu"`
	Details   map[string]any `json:"details,omitempty"`
}

type benchmark struct {
	name  string
	about string
	run   func(ctx context.Context) (result, error)
}

// is tells whether name means b: its own name, or that of the group before a dash where no benchmark has that name.
func (b benchmark) is(name string) bool {
	group, _, _ := strings.Cut(b.name, "-")
	return name == b.name || name == group && !alone[name]
}

// alone are the names of single benchmarks.
var alone = map[string]bool{}

func init() {
	for _, b := range benchmarks {
		alone[b.name] = true
	}
}

var benchmarks = []benchmark{
	{"platform", "journey of 100 shoppers through a whole platform on this machine", benchPlatform},
	{"checkout", "engine-level checkouts of 3 random products against a hand-written pgbench transaction", benchCheckout},
	{"hot", "engine-level checkouts of one product against pgbench's row lock", benchHot},
	{"split", "where the processor time of a checkout goes: PostgreSQL and here, phase by phase", benchSplit},
	{"floor", "what PostgreSQL alone spends on a checkout: statements of the shop, bare inserts, and the least rows", benchFloor},
	{"routing", "reads through shard and replica against a bare pgx pool", benchRouting},
	{"read", "uncached reads of one product from a replica, 64 callers, against a bare pgx pool", benchRead},
	{"growth-shards", "checkouts with 1 to 8 shards on one and two servers", benchGrowthShards},
	{"growth-products", "checkouts, reads, lists and searches with 10⁴ to 10⁶ products", benchGrowthProducts},
	{"growth-orders", "checkouts and histories with 10⁵ to 10⁶ orders in the shards, 10⁷ with STAMPEDE_BENCH_FULL=1", benchGrowthOrders},
	{"sync", "writes that wait for a standby against writes that do not", benchSync},
	{"httpsuite", "the public test suite for HTTP caches: required tests passed, against nginx and Varnish", benchEdgeSuite},
	{"l2", "reads from Redis through the tiers against the bare client", benchL2},
	{"purge", "from the commit of a product's change to nobody seeing the old one: every process, Redis, edge", benchPurge},
	{"paint", "first contentful paint of the front page in a browser, of the edge's copy, nothing kept in the browser", benchPaint},
	{"edge", "cache hits of 1 KiB at the edge against nginx proxy_cache, one core", benchEdge},
	{"load", "the load generator on one core, answers checked, against wrk and hey", benchLoad},
	{"hits", "share of a skewed browse mix that each tier answers, with the real catalogue and a million products", benchHits},
	{"warm", "p95 and database load after a restart of every cache under load, warmed and cold", benchWarm},
	{"monitoring", "what all monitoring costs an edge at 10,000 requests a second, on and off in turns", benchMonitoring},
	{"monitoring-api", "what it costs an API process for each request that no edge answers, on and off in turns", benchMonitoringAPI},
	{"cache", "a hit in L1 against bare otter, by processor time", benchCache},
	{"predict", "hit rate after a cold start and at a spike, warmed with predicted demand, against decayed frequency", benchPredict},
	{"events", "a minute of 1,200,000 events a second, then as many as go through, from encoded batches through JetStream into DuckDB, against its bare appender and bare JetStream", benchEvents},
	{"events-sql", "SQL over fifty million stored events against the same rows in a table of DuckDB's own", benchEventsSQL},
	{"overload", "goodput and checkouts at 1, 2 and 3 times the saturating rate through the real edge", benchOverload},
	{"overload-waitroom", "the same with the waiting room on", benchOverloadWaitroom},
	{"crowd-sessions", "100,000 shoppers at once, one in ten of whom buys: memory of the platform, orders", benchCrowdSessions},
	{"crowd-connections", "20,000 open connections at once, or as many as files are allowed: memory of the platform, orders", benchCrowdConnections},
	{"million", "a million products: import, and list, search and view in the database", benchMillion},
}

func main() {
	if addr := os.Getenv(loadServerEnv); addr != "" {
		fmt.Fprintln(os.Stderr, "bench:", newTrivialShop().serve(addr))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runAll(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runAll(ctx context.Context, names []string) error {
	for _, n := range names {
		if !slices.ContainsFunc(benchmarks, func(b benchmark) bool { return b.is(n) }) {
			return fmt.Errorf("there is no benchmark %q; there are: %s", n, known())
		}
	}
	for _, b := range benchmarks {
		if len(names) > 0 && !slices.ContainsFunc(names, b.is) {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s: %s\n", b.name, b.about)
		before := readCPU()
		r, err := b.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.Name, r.OthersCPU = b.name, othersSince(before)
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}

func known() string {
	var names []string
	for _, b := range benchmarks {
		names = append(names, b.name)
	}
	return strings.Join(names, ", ")
}
