package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/shard"
)

// FollowerOptions of a Follower. Coordinator, ID and Open are needed.
type FollowerOptions struct {
	Coordinator *pgxpool.Pool // primary of the database with the tables of CoordinatorSQL
	ID          string        // of this process, unique among all that live or died lately
	// Open connects to a shard that the cluster had no pool for. The follower closes the pool.
	Open func(ctx context.Context, s Shard) (*pgxpool.Pool, error)
	// OnChange, if set, hears of every map that is put in force, after it was: once at the start, too. It must not block for long.
	OnChange func(version int64, nodes []shard.Node)
	Every    time.Duration // between looks at the topology when nothing is notified; 0 means 1 s
	Lease    time.Duration // as in Options
	Log      *slog.Logger  // nil discards
	// Registerer receives the metrics of this process; nil means none.
	Registerer prometheus.Registerer
}

// Follower keeps a cluster to the topology: it exchanges the map, holds work when a move asks for it, and acknowledges both. While a
// move is on and the coordinator cannot be reached for most of the lease, it holds work on the keys that move.
type Follower struct {
	o       FollowerOptions
	store   *Store
	cluster *shard.Cluster
	m       *followerMetrics
	pools   map[string]*pgxpool.Pool // known, by shard
	opened  []*pgxpool.Pool          // our own

	acked    int64 // epoch acted on
	version  int64 // in force in the cluster
	now      atomic.Pointer[State]
	lastSeen atomic.Int64 // when the last successful look began, in ns since start
	start    time.Time

	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
	once sync.Once
}

// Follow starts to follow. Until the topology has been read for the first time, which it tries for ever, all work on keys of the cluster waits.
// first is the topology to begin with, should there be none yet.
func Follow(cluster *shard.Cluster, first Topology, o FollowerOptions) *Follower {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{o: o, store: NewStore(o.Coordinator), cluster: cluster, m: newFollowerMetrics(o.Registerer), pools: map[string]*pgxpool.Pool{}, start: time.Now(), wake: make(chan struct{}, 1)}
	for _, n := range cluster.Nodes() {
		f.pools[n.ID] = n.Pool
	}
	cluster.Hold(func(string) bool { return true })
	var ctx context.Context
	ctx, f.stop = context.WithCancel(context.Background())
	f.done.Go(func() { f.loop(ctx, first) })
	f.done.Go(func() { f.listen(ctx) })
	return f
}

// State is the topology as it was seen last; false before the first time.
func (f *Follower) State() (State, bool) {
	st := f.now.Load()
	if st == nil {
		return State{}, false
	}
	return *st, true
}

// Ready waits for the first topology.
func (f *Follower) Ready(ctx context.Context) error {
	for f.now.Load() == nil {
		if !pause(ctx, 5*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close stops following, says good-bye, and closes the pools that were opened. Nobody may use the cluster any more. It is safe to call twice.
func (f *Follower) Close() {
	f.once.Do(func() {
		f.stop()
		f.done.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := f.store.leave(ctx, f.o.ID); err != nil {
			f.o.Log.Debug("member not signed off; its lease runs out", "error", err)
		}
		for _, p := range f.opened {
			p.Close()
		}
	})
}

func (f *Follower) loop(ctx context.Context, first Topology) {
	begun := false
	for ctx.Err() == nil {
		again, err := f.look(ctx, first, begun)
		if err != nil && ctx.Err() == nil {
			f.o.Log.Warn("topology of shards not followed", "error", err)
		}
		begun = begun || err == nil
		if again {
			continue
		}
		wait := f.o.Every
		if st := f.now.Load(); st != nil && st.Phase == Holding {
			wait = min(wait, 50*time.Millisecond) // whoever looks first after its time ends the hold
		} else if err != nil {
			wait = min(wait, 200*time.Millisecond)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-f.wake:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// look reads the topology once and acts on it; again tells that something was done that has to be acknowledged.
func (f *Follower) look(ctx context.Context, first Topology, begun bool) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(f.o.Every, 2*time.Second))
	defer cancel()
	seen := time.Since(f.start)
	if !begun {
		// First the member, then the topology: a move that begins in between waits for us.
		if _, err := f.store.beat(ctx, f.o.ID, 0); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return false, err
		}
		if _, err := f.store.Init(ctx, first); err != nil {
			return false, err
		}
	}
	st, err := f.store.beat(ctx, f.o.ID, f.acked)
	if err != nil {
		return false, err
	}
	late := f.late()
	f.lastSeen.Store(int64(seen))
	if st.Epoch != f.acked {
		if err := f.act(ctx, st); err != nil {
			return false, err
		}
		f.acked = st.Epoch
		again = true
	} else if late {
		f.hold(st) // who waited for us to be back looks again
	}
	if st.Phase == Moving {
		f.lowerFences(ctx, st.Epoch)
	}
	return again, nil
}

// late tells that the lease may run out before the next success.
func (f *Follower) late() bool {
	return time.Since(f.start)-time.Duration(f.lastSeen.Load()) > f.o.Lease*6/10
}

// act makes the cluster what a state says.
func (f *Follower) act(ctx context.Context, st State) error {
	if st.Version != f.version {
		if err := f.adopt(ctx, st); err != nil {
			return err
		}
	}
	f.now.Store(&st)
	f.hold(st)
	f.m.act(st)
	return nil
}

func (f *Follower) adopt(ctx context.Context, st State) error {
	m, err := st.Map.Map()
	if err != nil {
		return err
	}
	pools := map[string]*pgxpool.Pool{}
	for _, s := range st.Map.Shards {
		if f.pools[s.ID] == nil {
			p, err := f.o.Open(ctx, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.ID, err)
			}
			f.pools[s.ID], f.opened = p, append(f.opened, p)
		}
		pools[s.ID] = f.pools[s.ID]
	}
	if err := f.cluster.Replace(m, pools); err != nil {
		return err
	}
	f.version = st.Version
	f.o.Log.Info("map of shards", "version", st.Version, "shards", len(pools))
	if f.o.OnChange != nil {
		f.o.OnChange(st.Version, f.cluster.Nodes())
	}
	return nil
}

// hold lets the cluster hold what the state says: keys that move, during a hold, and whenever we cannot know whether there is one.
func (f *Follower) hold(st State) {
	if st.Next == nil {
		f.cluster.Hold(nil)
		return
	}
	before := f.cluster.Map()
	after, err := st.Next.Map()
	moves := func(key string) bool {
		if err != nil {
			return true
		}
		a, _ := before.Locate(key)
		b, _ := after.Locate(key)
		return a != b
	}
	if st.Phase == Holding {
		f.cluster.Hold(moves)
		return
	}
	f.cluster.Hold(func(key string) bool { return f.late() && moves(key) })
}

// lowerFences repairs what a mover left that died between a fence and the new map. The epoch is one in which nothing is held.
func (f *Follower) lowerFences(ctx context.Context, epoch int64) {
	for _, n := range f.cluster.Nodes() {
		if err := lower(ctx, n.Pool, epoch); err != nil {
			f.o.Log.Debug("fence not looked at", "shard", n.ID, "error", err)
		}
	}
}

// listen wakes the loop when the topology changes; without it the loop looks now and then.
func (f *Follower) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.listenOnce(ctx); err != nil && ctx.Err() == nil {
			f.o.Log.Debug("not listening to the topology", "error", err)
		}
		pause(ctx, f.o.Every)
	}
}

func (f *Follower) listenOnce(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.o.Coordinator.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}
