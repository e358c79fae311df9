package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrUnknownNode means that a Set names a replica which its Group does not watch.
var ErrUnknownNode = errors.New("replica: the group has no such node")

// Replica is a server that may be a read-only copy of the primary. An empty name becomes "replica-N"; names should differ. Line is
// what opened the pool, if one did: it makes reads cheaper.
type Replica struct {
	Name string
	Pool *pgxpool.Pool
	Line *Line
}

// Group watches the servers of one PostgreSQL cluster for all the databases on them: log positions, health and load belong to
// a server, so that each is measured once however many Sets there are. It is safe for concurrent use.
type Group struct {
	o        Options
	writer   *server
	replicas []*server
	history  history
	fence    *Fence
	budget   *budget
	counts   counts
	metrics  *collector
	stop     context.CancelFunc
	done     sync.WaitGroup

	news   atomic.Pointer[chan struct{}] // closed and replaced at each measurement
	noWait atomic.Int64                  // unix nanoseconds: nobody waits for replicas before

	mu     sync.Mutex
	sets   []*Set
	closed bool
}

// NewGroup starts the checker of a cluster. The pools may lead to any database of it; the checker connects the way they
// do, over connections of its own. primary must lead to whichever server accepts writes: a DSN that names all of them
// with target_session_attrs=read-write. Listed as replicas are all servers that can be one, also the one that is the primary
// now: it is used once it comes back as a standby.
func NewGroup(primary *pgxpool.Pool, replicas []Replica, o Options) *Group {
	g := newGroup(o)
	g.writer = newServer(PrimaryName, primary.Config().ConnConfig)
	g.writer.writer = true
	g.writer.close() // until its first measurement it is trusted
	seen := map[string]bool{PrimaryName: true}
	for i, r := range replicas {
		name := r.Name
		if name == "" {
			name = "replica-" + strconv.Itoa(i+1)
		}
		for seen[name] { // a repeated name would make the metrics of both useless
			name += "-standby"
		}
		seen[name] = true
		g.replicas = append(g.replicas, newServer(name, r.Pool.Config().ConnConfig))
	}
	g.limitPrimary()
	if g.o.Registerer != nil {
		g.metrics = newCollector(g)
		if err := g.o.Registerer.Register(g.metrics); err != nil {
			g.o.Logger.Warn("replica metrics not registered", "error", err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	for _, n := range g.servers() {
		g.done.Go(func() { g.watch(ctx, n) })
	}
	return g
}

func newGroup(o Options) *Group {
	g := &Group{o: o.withDefaults(), stop: func() {}}
	g.fence = g.o.Fence
	news := make(chan struct{})
	g.news.Store(&news)
	return g
}

// limitPrimary bounds the reads that the primary serves for replicas; without any it serves all of them.
func (g *Group) limitPrimary() {
	if len(g.replicas) > 0 && g.o.PrimaryReadLimit > 0 {
		g.budget = newBudget(g.o)
	}
}

func (g *Group) servers() []*server { return append([]*server{g.writer}, g.replicas...) }

// Set is one database of the cluster: name is its name in tokens, the pools lead to it on each server. Replicas are matched by
// position with those given to NewGroup; there may be fewer, but not more (ErrUnknownNode).
func (g *Group) Set(name string, primary *pgxpool.Pool, replicas []Replica) (*Set, error) {
	if len(replicas) > len(g.replicas) {
		return nil, fmt.Errorf("%w: %s has %d replicas, the group %d", ErrUnknownNode, name, len(replicas), len(g.replicas))
	}
	s := &Set{g: g, name: name, primary: member{g.writer, primary, nil}}
	for i, r := range replicas {
		s.replicas = append(s.replicas, member{g.replicas[i], r.Pool, r.Line})
	}
	var err error
	if s.guarded, err = g.readPool(primary, len(replicas) > 0); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sets = append(g.sets, s)
	return s, nil
}

// readPool is what reads on the primary use: connections that refuse to write, at most as many as the budget has reads.
// Without replicas reads share the primary's own pool.
func (g *Group) readPool(primary *pgxpool.Pool, replicas bool) (*pgxpool.Pool, error) {
	if !replicas || primary == nil {
		return nil, nil
	}
	c := primary.Config()
	c.MinConns, c.MinIdleConns = 0, 0
	if g.o.PrimaryReadLimit > 0 {
		c.MaxConns = min(c.MaxConns, int32(min(g.o.PrimaryReadLimit, 1000))) //nolint:gosec // bounded
	}
	c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	c.BeforeConnect = nil // while there is no primary, a read does not wait at a Gate: a replica may do
	if g.o.Gate != nil {
		c.BeforeConnect = g.o.Gate.pass
	}
	g.fence.Guard(c) // in place of read-write, which such a connection is not
	p, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("replica: pool for reads on the primary: %w", err)
	}
	return p, nil
}

// Status lists the way to the primary first, then the servers as they were given.
func (g *Group) Status() []Status {
	var all []Status
	for _, n := range g.servers() {
		all = append(all, n.status())
	}
	return all
}

// Close stops the checker and waits for it, and closes the Sets. It may be called again.
func (g *Group) Close() {
	g.stop()
	g.done.Wait()
	g.mu.Lock()
	sets, first := g.sets, !g.closed
	g.sets, g.closed = nil, true
	g.mu.Unlock()
	if first && g.metrics != nil {
		g.o.Registerer.Unregister(g.metrics)
	}
	for _, s := range sets {
		s.release()
	}
}

func (g *Group) forget(s *Set) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sets = slices.DeleteFunc(g.sets, func(x *Set) bool { return x == s })
}

// each runs f for every Set.
func (g *Group) each(f func(*Set)) {
	g.mu.Lock()
	sets := slices.Clone(g.sets)
	g.mu.Unlock()
	for _, s := range sets {
		f(s)
	}
}

// publish wakes whoever waits for a measurement.
func (g *Group) publish() {
	next := make(chan struct{})
	close(*g.news.Swap(&next))
}

// required is the furthest position that a Set was told to see.
func (g *Group) required() (l uint64) {
	g.each(func(s *Set) { l = max(l, s.required.Load()) })
	return l
}
