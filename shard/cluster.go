package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrNoPool means that a map and the pools handed in do not name the same shards.
var ErrNoPool = errors.New("shard: map and pools differ")

// Options of a Cluster; the zero value works.
type Options struct {
	// Timeout bounds the work of OnAll on each shard. 0 means 5 s, negative means only the caller's deadline.
	Timeout time.Duration
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Logger hears of metrics that could not be registered; nil discards.
	Logger *slog.Logger
}

// Node is a shard's database.
type Node struct {
	ID   string
	Pool *pgxpool.Pool
}

// Cluster is a map of shards with their connection pools, which it borrows: whoever made them closes them.
// It is safe for concurrent use.
type Cluster struct {
	m       Map
	nodes   []Node // ordered by id
	timeout time.Duration
	metrics *metrics
}

// New joins a map and one pool for each of its shards. ErrNoPool names what one has and the other lacks.
func New(m Map, pools map[string]*pgxpool.Pool, o Options) (*Cluster, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	ids := m.IDs()
	slices.Sort(ids)
	c := &Cluster{m: m, timeout: o.Timeout, metrics: newMetrics(o)}
	for _, id := range ids {
		if pools[id] == nil {
			return nil, fmt.Errorf("%w: shard %q has no pool", ErrNoPool, id)
		}
		c.nodes = append(c.nodes, Node{ID: id, Pool: pools[id]})
	}
	for id := range pools {
		if _, ok := c.Node(id); !ok {
			return nil, fmt.Errorf("%w: the map does not know %q", ErrNoPool, id)
		}
	}
	if len(c.nodes) == 0 {
		return nil, ErrNoShards
	}
	return c, nil
}

// Locate returns the id of the shard that owns key, or ErrEmptyKey.
func (c *Cluster) Locate(key string) (string, error) { return c.m.Locate(key) }

// OnShard returns the shard that owns key, or ErrEmptyKey.
func (c *Cluster) OnShard(key string) (Node, error) {
	id, err := c.m.Locate(key)
	if err != nil {
		return Node{}, err
	}
	n, ok := c.Node(id)
	if !ok {
		return Node{}, fmt.Errorf("%w: shard %q has no pool", ErrNoPool, id)
	}
	return n, nil
}

// Node returns the shard with that id.
func (c *Cluster) Node(id string) (Node, bool) {
	for _, n := range c.nodes { // a handful: a scan beats a map
		if n.ID == id {
			return n, true
		}
	}
	return Node{}, false
}

// Nodes lists the shards in ascending order of id.
func (c *Cluster) Nodes() []Node { return slices.Clone(c.nodes) }

// OnAll runs fn on every shard in parallel, each under its own deadline, and waits for all of them: fn must heed its
// context. The result joins all failures, in the order of shard ids, each an [*Error]. A panic in fn is raised again in
// the caller, once every shard has finished.
func (c *Cluster) OnAll(ctx context.Context, fn func(ctx context.Context, n Node) error) error {
	results := make([]outcome, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Add(1)
		go c.run(ctx, n, fn, func(o outcome) {
			results[i] = o
			wg.Done()
		})
	}
	wg.Wait()
	errs := make([]error, 0, len(results))
	for i, r := range results {
		if r.panicked != nil {
			panic(r.panicked)
		}
		if r.err != nil {
			errs = append(errs, &Error{Shard: c.nodes[i].ID, Err: r.err})
		}
	}
	return errors.Join(errs...)
}
