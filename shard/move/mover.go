package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Options of a Mover. Coordinator, Open and Tables are needed.
type Options struct {
	Coordinator *pgxpool.Pool // primary of the database with the tables of CoordinatorSQL
	// Open connects to a shard; the mover closes the pool. Shards need the tables, in the same form, before a move begins.
	Open   func(ctx context.Context, s Shard) (*pgxpool.Pool, error)
	Tables []Table

	Window  int           // rows looked at in one step of copying, comparing and deleting; 0 means 1000
	Batch   int           // changes replayed in one step; 0 means 500
	HoldFor time.Duration // the longest that work on moving keys is held in one attempt; 0 means 800 ms
	Lease   time.Duration // after which a member that is not heard of counts as dead; 0 means 10 s, as in a Follower
	// Grace is how long old rows stay after everybody knows the new map: longer than any work that began under the old one takes. 0
	// means 6 s.
	Grace  time.Duration
	Limits Limits
	// Report, if set, is called with how far the move is: at each change of state, and at most a few times a second in between.
	Report func(Move)
	Log    *slog.Logger // nil discards
	// Registerer receives the metrics of moves; nil means none. Movers that share one share the metrics.
	Registerer prometheus.Registerer

	// Crash, when set by a test, is called at each point of CrashPoints; a panic there is a crash.
	Crash func(point string)
}

// Limits hold a move back in favour of the shop.
type Limits struct {
	ReplicaLag int64   // bytes of log that a replica of a shard may be behind; 0 means 32 MiB
	Active     int     // backends at work on a shard's server, beyond which the mover waits; 0 means 40
	Share      float64 // of the time that the mover may be at work, 0..1; 0 means 0.5
}

func (o Options) withDefaults() Options {
	orInt := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	orInt(&o.Window, 1000)
	orInt(&o.Batch, 500)
	orInt(&o.Limits.Active, 40)
	if o.HoldFor <= 0 {
		o.HoldFor = 800 * time.Millisecond
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Grace <= 0 {
		o.Grace = 6 * time.Second
	}
	if o.Limits.ReplicaLag <= 0 {
		o.Limits.ReplicaLag = 32 << 20
	}
	if o.Limits.Share <= 0 || o.Limits.Share > 1 {
		o.Limits.Share = 0.5
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Crash == nil {
		o.Crash = func(string) {}
	}
	return o
}

const defaultLease = 10 * time.Second

// CrashPoints are where a mover may die, in the order in which they are passed.
var CrashPoints = []string{"announced", "captured", "window-copied", "copied", "replayed", "verified", "held", "fenced", "drained", "opened",
	"committed", "acknowledged", "window-deleted", "deleted", "removed"}

// Mover drives moves. It holds nothing between calls.
type Mover struct {
	o     Options
	store *Store
	m     *moveMetrics
}

// New makes a mover.
func New(o Options) *Mover {
	return &Mover{o: o.withDefaults(), store: NewStore(o.Coordinator), m: newMoveMetrics(o.Registerer)}
}

// Begin records a move from the map in force to next and announces it; Run then does it. ErrBusy when there is one already.
func (m *Mover) Begin(ctx context.Context, next Topology) (Move, error) {
	if _, err := next.Map(); err != nil {
		return Move{}, err
	}
	return m.store.begin(ctx, next)
}

// Run brings the move under way to its end, from wherever it is: also one that somebody else began, or died over. It returns
// ErrNoMove when there is none, and ErrNotUnique when somebody else is at it.
func (m *Mover) Run(ctx context.Context) (Move, error) { return m.drive(ctx, (*run).forward) }

// Abort takes the move under way back: ErrTooLate once the new map is in force.
func (m *Mover) Abort(ctx context.Context) (Move, error) { return m.drive(ctx, (*run).back) }

// moverLock is the advisory lock of who drives.
const moverLock = 7596835243156820001

func (m *Mover) drive(ctx context.Context, how func(*run, context.Context) error) (Move, error) {
	cfg := m.o.Coordinator.Config().ConnConfig.Copy()
	conn, err := pgx.ConnectConfig(ctx, cfg) // its own, so that the lock goes when it does
	if err != nil {
		return Move{}, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if err := lockAlone(ctx, conn); err != nil {
		return Move{}, err
	}
	mv, err := m.store.Current(ctx)
	if err != nil {
		return mv, err
	}
	r := &run{o: m.o, store: m.store, m: m.m, move: mv, nodes: map[string]*node{}, recent: map[string]map[string]change{}, paced: map[string]time.Time{}}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return mv, err
	}
	err = how(r, ctx)
	return r.move, err
}

// lockAlone has some patience: the session of a mover that died may end a moment after it.
func lockAlone(ctx context.Context, conn *pgx.Conn) error {
	for range 40 {
		var alone bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(moverLock)).Scan(&alone); err != nil || alone {
			return err
		}
		if !pause(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return ErrNotUnique
}

// run is a move being driven.
type run struct {
	o       Options
	store   *Store
	m       *moveMetrics
	nodes   map[string]*node
	sources []*node // all of the map before
	targets []*node // all of the map after
	tables  []*table

	mu     sync.Mutex // guards what follows; move.State is changed by one goroutine alone
	move   Move
	told   time.Time
	recent map[string]map[string]change // by source: rows to compare once more
	paced  map[string]time.Time         // by node: since when the mover works without a pause
}

func (r *run) open(ctx context.Context) error {
	for _, side := range []struct {
		t    Topology
		list *[]*node
	}{{r.move.Map, &r.sources}, {r.move.Next, &r.targets}} {
		for _, s := range side.t.Shards {
			if r.nodes[s.ID] == nil {
				db, err := r.o.Open(ctx, s)
				if err != nil {
					return fmt.Errorf("move: %s: %w", s.ID, err)
				}
				r.nodes[s.ID] = &node{id: s.ID, db: db}
			}
			*side.list = append(*side.list, r.nodes[s.ID])
		}
	}
	var err error
	if len(r.sources) == 0 {
		return fmt.Errorf("%w: the map in force has no shards", ErrShape)
	}
	r.tables, err = describe(ctx, r.sources[0].db, r.o.Tables)
	return err
}

func (r *run) all() (list []*node) {
	for _, n := range r.nodes {
		list = append(list, n)
	}
	return list
}

func (r *run) close() {
	for _, n := range r.nodes {
		n.db.Close()
	}
}

// count changes progress and reports it now and then.
func (r *run) count(f func(*Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.move.Progress
	f(&r.move.Progress)
	r.m.progressed(before, r.move.Progress)
	if time.Since(r.told) > 300*time.Millisecond {
		r.told = time.Now()
		r.report()
	}
}

func (r *run) report() {
	r.m.enter(r.move.State)
	if r.o.Report != nil {
		m := r.move
		m.Progress.Cursors = nil
		r.o.Report(m)
	}
}

// enter records the next state.
func (r *run) enter(ctx context.Context, state string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.move.State = state
	r.report()
	r.o.Log.InfoContext(ctx, "move", "id", r.move.ID, "state", state)
	return r.store.save(ctx, r.move)
}

// each runs fn for nodes in parallel. A panic, which is a crash in tests, goes on in the caller.
func each(nodes []*node, fn func(n *node) error) error {
	errs, panics := make([]error, len(nodes)), make([]any, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			defer func() { panics[i] = recover() }()
			errs[i] = fn(n)
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", n.id, errs[i])
			}
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return errors.Join(errs...)
}

// members waits until all live members have acted on an epoch.
func (r *run) members(ctx context.Context, epoch int64) error {
	for {
		n, err := r.store.behind(ctx, epoch, r.o.Lease)
		if err != nil || n == 0 {
			return err
		}
		if !pause(ctx, 4*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}
