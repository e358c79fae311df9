package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/replica"
)

// databases opens the pools of a process. What leads to the same servers is one cluster: its pools wait out a failover together,
// and refuse a primary that was replaced.
type databases struct {
	cfg     config.Config
	log     *slog.Logger
	reg     prometheus.Registerer
	queries *replica.Queries

	mu       sync.Mutex
	clusters []*dbCluster
	lines    map[string]*replica.Line // by server
}

// dbCluster is a primary and its standbys, whoever of them is which.
type dbCluster struct {
	name    string // its number, in the order of the configuration
	servers string
	gate    *replica.Gate
	group   *replica.Group // nil: its standbys are not watched
}

func newDatabases(cfg config.Config, log *slog.Logger, reg prometheus.Registerer) *databases {
	return &databases{cfg: cfg, log: log, reg: reg, lines: map[string]*replica.Line{},
		queries: replica.NewQueries(replica.QueriesOptions{Slow: cfg.Log.SlowQuery, Registerer: reg, Logger: log})}
}

// config is what all pools have in common. They open lazily: a database that is down now is an error of the query, not of
// the start.
func (d *databases) config(dsn, database, node string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c.MaxConns = int32(d.cfg.Catalog.PoolSize)
	c.ConnConfig.ConnectTimeout = 3 * time.Second
	c.MaxConnIdleTime = 5 * time.Minute
	c.HealthCheckPeriod = 15 * time.Second
	tracers := []pgx.QueryTracer{d.queries.Tracer(database, node)}
	if d.cfg.OTel.Endpoint != "" {
		tracers = append(tracers, otelpgx.NewTracer())
	}
	c.ConnConfig.Tracer = tracers[0]
	if len(tracers) > 1 {
		c.ConnConfig.Tracer = multitracer.New(tracers...)
	}
	return c, nil
}

// writer is a pool of a database on whichever server of its cluster is the primary. tune may be nil.
func (d *databases) writer(ctx context.Context, database, dsn string, tune func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	c, err := d.config(dsn, database, replica.PrimaryName)
	if err != nil {
		return nil, fmt.Errorf("dsn of %s: %w", database, err)
	}
	if tune != nil {
		tune(c)
	}
	return d.clusterOf(c).gate.Open(ctx, c)
}

// readers are pools of a database on each of its servers, for reading.
func (d *databases) readers(ctx context.Context, database string, servers []config.ServerConfig) ([]replica.Replica, error) {
	var list []replica.Replica
	for i, s := range servers {
		name := s.NameAt(i)
		c, err := d.config(s.DSN, database, name)
		if err != nil {
			closeAll(list)
			return nil, fmt.Errorf("dsn of %s on %s: %w", database, name, err)
		}
		c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
		line := d.lineTo(c)
		p, err := line.Open(ctx, c)
		if err != nil {
			closeAll(list)
			return nil, err
		}
		list = append(list, replica.Replica{Name: name, Pool: p, Line: line})
	}
	return list, nil
}

// lineTo is the line to the server that a configuration leads to: one for all databases on it.
func (d *databases) lineTo(c *pgxpool.Config) *replica.Line {
	key := serversOf(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lines[key] == nil {
		d.lines[key] = &replica.Line{}
	}
	return d.lines[key]
}

func closeAll(list []replica.Replica) {
	for _, r := range list {
		r.Pool.Close()
	}
}

// watch begins to watch the servers of a cluster; the pools lead to one of its databases. It is done once a cluster.
func (d *databases) watch(primary *pgxpool.Pool, replicas []replica.Replica) *replica.Group {
	c := d.clusterOf(primary.Config())
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.group == nil {
		c.group = replica.NewGroup(primary, replicas, replica.Options{Name: c.name, Gate: c.gate, Registerer: d.reg, Logger: d.log})
	}
	return c.group
}

// watched tells whether the servers that a pool leads to are watched already.
func (d *databases) watched(p *pgxpool.Pool) bool {
	c := d.clusterOf(p.Config())
	d.mu.Lock()
	defer d.mu.Unlock()
	return c.group != nil
}

// clusterOf finds the cluster that a configuration leads to, by the servers it names.
func (d *databases) clusterOf(c *pgxpool.Config) *dbCluster {
	key := serversOf(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.clusters, func(x *dbCluster) bool { return x.servers == key })
	if i < 0 {
		i = len(d.clusters)
		name := strconv.Itoa(i + 1)
		d.clusters = append(d.clusters, &dbCluster{name: name, servers: key,
			gate: replica.NewGate(replica.GateOptions{Logger: d.log.With("cluster", name)})})
	}
	return d.clusters[i]
}

// serversOf names the servers of a DSN, in an order of its own.
func serversOf(c *pgxpool.Config) string {
	list := []string{net.JoinHostPort(c.ConnConfig.Host, strconv.Itoa(int(c.ConnConfig.Port)))}
	for _, f := range c.ConnConfig.Fallbacks {
		list = append(list, net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

// nodeStatus is a server with the cluster it is in.
type nodeStatus struct {
	Cluster string `json:"cluster"`
	replica.Status
}

func (d *databases) status() []nodeStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []nodeStatus
	for _, c := range d.clusters {
		if c.group == nil {
			continue
		}
		for _, st := range c.group.Status() {
			list = append(list, nodeStatus{c.name, st})
		}
	}
	return list
}

// busiest are the statements that took most of the time of the databases; all are in the metrics.
func (d *databases) busiest(n int) []replica.QueryStat {
	list := d.queries.Stats()
	return list[:min(n, len(list))]
}

// unwatch ends the groups, before the pools are closed.
func (d *databases) unwatch() {
	for _, c := range d.clusters {
		if c.group != nil {
			c.group.Close()
		}
	}
}

// close ends what is left, once the pools are closed.
func (d *databases) close() {
	for _, c := range d.clusters {
		c.gate.Close()
	}
	if d.reg != nil {
		d.reg.Unregister(d.queries)
	}
}
