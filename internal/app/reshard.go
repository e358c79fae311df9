package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/queue"
	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// followTopology keeps the cluster to the map of shards in force. Until that is known, work on shards waits.
func (s *stack) followTopology(name string, late *lateRelays) *move.Follower {
	f := move.Follow(s.cluster, s.cfg.Topology(), move.FollowerOptions{Coordinator: s.set.Primary(), ID: name + "-" + roleops.NewID(), Log: s.log,
		Open: func(ctx context.Context, sh move.Shard) (*pgxpool.Pool, error) {
			return s.db.writer(ctx, sh.ID, s.cfg.ShardDSN(sh), s.tune) // the follower closes it
		},
		OnChange: late.see})
	s.onClose(f.Close)
	return f
}

// lateRelays relay the outboxes of shards that came in after the start.
type lateRelays struct {
	mu    sync.Mutex
	make  func(shard.Node) *queue.Relay // nil: not relaying
	known []string                      // shards that have a relay
	nodes []shard.Node                  // of the map in force
	extra []*queue.Relay
}

// see takes note of the shards of a new map.
func (r *lateRelays) see(_ int64, nodes []shard.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = nodes
	r.add()
}

// begin starts a relay for each shard, now and later, that is not known.
func (r *lateRelays) begin(s *stack, known []queue.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range known {
		r.known = append(r.known, k.Name)
	}
	r.make = func(n shard.Node) *queue.Relay {
		return queue.NewRelay(s.js, []queue.Source{shardOutbox(n)}, queue.RelayOptions{Log: s.log})
	}
	r.add()
}

func (r *lateRelays) add() {
	for _, n := range r.nodes {
		if r.make == nil || slices.Contains(r.known, n.ID) {
			continue
		}
		r.known = append(r.known, n.ID)
		relay := r.make(n)
		relay.Start()
		r.extra = append(r.extra, relay)
	}
}

func (r *lateRelays) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.make = nil
	for _, relay := range r.extra {
		relay.Stop()
	}
}

// LiveMap is the map of shards in force, with pins and weights: as the catalogue has it, or as configured when there is none yet.
// An error is that of the catalogue.
func LiveMap(ctx context.Context, cfg config.Config) (shard.Map, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	pool, err := pgxpool.New(ctx, cfg.Catalog.Primary)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	st, err := move.NewStore(pool).Read(ctx)
	if err != nil {
		return nil, err
	}
	return st.Map.Map()
}

// ReshardOptions say how keys are to move. Exactly one of Add, Weigh, Pin, Span and Abort is used; none continues the move under way.
type ReshardOptions struct {
	Data     string // data folder of the platform, for a new shard without a DSN
	Add      *AddShard
	Weigh    *shard.Info       // a shard and its new weight
	Pin      map[string]string // keys to shards; to "" for back to the ring
	Span     *shard.Span       // the same for keys from From to To
	Abort    bool
	Progress func(format string, args ...any)
}

// AddShard is a shard to bring in. Without an ID it is the next number; without a DSN a database is made on this machine's platform.
type AddShard struct {
	ID, DSN string
	Weight  int
}

// Reshard changes who owns which keys while everything runs, and returns the move when it is over. A move that was left in the middle
// is finished first.
func Reshard(ctx context.Context, cfg config.Config, o ReshardOptions) (move.Move, error) {
	pool, err := moverPool(ctx, cfg.Catalog.Primary)
	if err != nil {
		return move.Move{}, err
	}
	defer pool.Close()
	r := &resharder{cfg: cfg, o: o, store: move.NewStore(pool)}
	r.mover = move.New(move.Options{Coordinator: pool, Tables: postgres.MovingTables(), Report: r.report, Log: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) {
			return pgxpool.New(ctx, cfg.ShardDSN(s))
		}})
	if o.Abort {
		return r.mover.Abort(ctx)
	}
	mv, err := r.finish(ctx)
	if o.Add == nil && o.Weigh == nil && o.Pin == nil && o.Span == nil {
		return mv, err
	}
	if err != nil && !errors.Is(err, move.ErrNoMove) {
		return mv, err
	}
	return r.begin(ctx)
}

// moverPool is for steps that are short by design: one that takes minutes has met something that the move had better wait out.
func moverPool(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c.MaxConns = 4
	c.ConnConfig.ConnectTimeout = 5 * time.Second
	c.ConnConfig.RuntimeParams["statement_timeout"] = "120s"
	return pgxpool.NewWithConfig(ctx, c)
}

type resharder struct {
	cfg   config.Config
	o     ReshardOptions
	store *move.Store
	mover *move.Mover
	said  string
}

// finish brings the move under way to its end and keeps what it brought.
func (r *resharder) finish(ctx context.Context) (move.Move, error) {
	mv, err := r.mover.Run(ctx)
	if err != nil {
		return mv, err
	}
	return mv, r.keep(mv)
}

func (r *resharder) begin(ctx context.Context) (move.Move, error) {
	st, err := r.store.Init(ctx, r.cfg.Topology())
	if err != nil {
		return move.Move{}, err
	}
	next, err := r.next(ctx, st.Map)
	if err != nil {
		return move.Move{}, err
	}
	if _, err := r.mover.Begin(ctx, next); err != nil {
		return move.Move{}, err
	}
	return r.finish(ctx)
}

// next is the topology that the options ask for.
func (r *resharder) next(ctx context.Context, t move.Topology) (move.Topology, error) {
	switch o := r.o; {
	case o.Add != nil:
		s, err := r.newShard(ctx, t)
		return t.With(s), err
	case o.Weigh != nil:
		s, ok := t.Shard(o.Weigh.ID)
		if !ok {
			return t, fmt.Errorf("there is no shard %q", o.Weigh.ID)
		}
		s.Weight = o.Weigh.Weight
		return t.With(s), nil
	case o.Span != nil:
		return t.PinSpan(*o.Span), nil
	default:
		for key, id := range o.Pin {
			t = t.Pin(key, id)
		}
		return t, nil
	}
}

// report tells people how far it is, when there is something new to tell.
func (r *resharder) report(mv move.Move) {
	p := mv.Progress
	line := fmt.Sprintf("move %d: %s", mv.ID, mv.State)
	switch mv.State {
	case "copying":
		line += fmt.Sprintf(": %d rows copied", p.Copied)
	case "tailing":
		line += fmt.Sprintf(": %d changes replayed, %d rows compared", p.Replayed, p.Compared)
	case "cleaning":
		line += fmt.Sprintf(": the new map is in force, writes were held for %d ms; %d old rows deleted", p.HeldMS, p.Deleted)
	}
	if line != r.said && r.o.Progress != nil {
		r.said = line
		r.o.Progress("%s", line)
	}
}
