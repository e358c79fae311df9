package shard

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrNoPool means that a map and the pools handed in do not name the same shards.
var ErrNoPool = errors.New("shard: map and pools differ")

// Options of a Cluster; the zero value works.
type Options struct {
	// Timeout bounds the work on each shard in calls to all of them. 0 means 5 s, negative means only the caller's deadline.
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

// view is a map and its nodes as they are at one moment; a change makes a new one.
type view struct {
	m       Map
	ring    *Ring                 // m, if it is one: its shards are in the order of nodes, so that an owner need not be looked for by its id
	nodes   []Node                // ordered by id
	held    func(key string) bool // nil: nothing
	changed chan struct{}         // closed when another view has taken its place
}

// Cluster is a map of shards with their connection pools, which it borrows: whoever made them closes them.
// It is safe for concurrent use. Map and pools can be exchanged while it is used: see [Cluster.Replace] and [Cluster.Do].
type Cluster struct {
	now     atomic.Pointer[view]
	change  sync.Mutex // held while a view is exchanged
	timeout time.Duration
	metrics *metrics
}

// New joins a map and one pool for each of its shards. ErrNoPool names what one has and the other lacks.
func New(m Map, pools map[string]*pgxpool.Pool, o Options) (*Cluster, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	v, err := newView(m, pools)
	if err != nil {
		return nil, err
	}
	c := &Cluster{timeout: o.Timeout, metrics: newMetrics(o)}
	c.now.Store(v)
	return c, nil
}

func newView(m Map, pools map[string]*pgxpool.Pool) (*view, error) {
	v := &view{m: m, changed: make(chan struct{})}
	v.ring, _ = m.(*Ring)
	ids := m.IDs()
	for _, id := range ids {
		if pools[id] == nil {
			return nil, fmt.Errorf("%w: shard %q has no pool", ErrNoPool, id)
		}
		v.nodes = append(v.nodes, Node{ID: id, Pool: pools[id]})
	}
	slices.SortFunc(v.nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	for _, id := range slices.Sorted(maps.Keys(pools)) {
		if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("%w: the map does not know %q", ErrNoPool, id)
		}
	}
	if len(v.nodes) == 0 {
		return nil, ErrNoShards
	}
	return v, nil
}

// Map is the map in force.
func (c *Cluster) Map() Map { return c.now.Load().m }

// Locate returns the id of the shard that owns key, or ErrEmptyKey.
func (c *Cluster) Locate(key string) (string, error) { return c.now.Load().m.Locate(key) }

// OnShard returns the shard that owns key, or ErrEmptyKey. It does not know how long the answer is used: while keys can
// move, work belongs into [Cluster.Do].
func (c *Cluster) OnShard(key string) (Node, error) { return c.now.Load().owner(key) }

func (v *view) owner(key string) (Node, error) {
	if v.ring != nil && key != "" {
		return v.nodes[v.ring.ownerOf(key)], nil
	}
	id, err := v.m.Locate(key)
	if err != nil {
		return Node{}, err
	}
	n, ok := v.node(id)
	if !ok {
		return Node{}, fmt.Errorf("%w: shard %q has no pool", ErrNoPool, id)
	}
	return n, nil
}

func (v *view) node(id string) (Node, bool) {
	for _, n := range v.nodes { // a handful: a scan beats a map
		if n.ID == id {
			return n, true
		}
	}
	return Node{}, false
}

// Node returns the shard with that id.
func (c *Cluster) Node(id string) (Node, bool) { return c.now.Load().node(id) }

// Nodes lists the shards in ascending order of id.
func (c *Cluster) Nodes() []Node { return slices.Clone(c.now.Load().nodes) }
