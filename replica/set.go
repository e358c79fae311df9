package replica

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// PrimaryName is the node name of the primary in Read, Status and metrics.
const PrimaryName = "primary"

// Options of a Set; the zero value works.
type Options struct {
	// Name tells several Sets of one process apart in metrics and logs. Default "default".
	Name string
	// Interval is how often the nodes are measured. Default 1 s. After a Require that replicas have not reached yet the
	// checker looks more often, at most every 20 ms.
	Interval time.Duration
	// CheckTimeout bounds one measurement. A node that fails it is taken out, after two time-outs in a row or at once when
	// it refuses; reads that still wait for a replica are then repeated elsewhere. Default 500 ms.
	CheckTimeout time.Duration
	// MaxLagBytes and MaxLag take a replica out that is further behind the primary. Default 64 MiB and 10 s;
	// negative means no limit.
	MaxLagBytes int64
	MaxLag      time.Duration
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Logger hears when a node goes out or comes back; nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Interval, time.Second)
	def(&o.CheckTimeout, 500*time.Millisecond)
	def(&o.MaxLag, 10*time.Second)
	if o.MaxLagBytes == 0 {
		o.MaxLagBytes = 64 << 20
	}
	if o.Name == "" {
		o.Name = "default"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Replica is a read-only copy of the primary. An empty name becomes "replica-N"; names should differ.
type Replica struct {
	Name string
	Pool *pgxpool.Pool
}

// Set is a primary with its replicas. Pools are borrowed: whoever made them closes them, after Close of the Set.
// It is safe for concurrent use.
type Set struct {
	o        Options
	primary  *node
	replicas []*node
	required atomic.Uint64
	samples  history
	metrics  *collector
	wake     chan struct{}
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// New makes a Set and starts its checker. Until its first round is over the primary answers all reads.
func New(primary *pgxpool.Pool, replicas []Replica, o Options) *Set {
	o = o.withDefaults()
	ctx, stop := context.WithCancel(context.Background())
	s := &Set{o: o, primary: newNode(PrimaryName, primary), wake: make(chan struct{}, 1), stop: stop}
	seen := map[string]bool{PrimaryName: true}
	for i, r := range replicas {
		if r.Name == "" {
			r.Name = "replica-" + strconv.Itoa(i+1)
		}
		for seen[r.Name] { // a repeated name would make the metrics of both useless
			r.Name += "'"
		}
		seen[r.Name] = true
		s.replicas = append(s.replicas, newNode(r.Name, r.Pool))
	}
	s.primary.healthy.Store(true)
	if o.Registerer != nil {
		s.metrics = newCollector(s)
		if err := o.Registerer.Register(s.metrics); err != nil {
			o.Logger.Warn("replica metrics not registered", "error", err)
		}
	}
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		s.check(ctx)
	}()
	return s
}

// Close stops the checker and waits for it. Reads go on with what it found last. Close may be called again.
func (s *Set) Close() {
	s.stop()
	s.done.Wait()
	if s.o.Registerer != nil {
		s.o.Registerer.Unregister(s.metrics)
	}
}

// Primary is the pool for writes, and for reads that must not go anywhere else.
func (s *Set) Primary() *pgxpool.Pool { return s.primary.pool }

// Require makes all later reads of this process see at least l. Lower values than an earlier one change nothing.
func (s *Set) Require(l LSN) {
	for {
		old := s.required.Load()
		if uint64(l) <= old {
			return
		}
		if s.required.CompareAndSwap(old, uint64(l)) {
			break
		}
	}
	select {
	case s.wake <- struct{}{}:
	default: // a round is due already
	}
}

// Required is the LSN that reads must see.
func (s *Set) Required() LSN { return LSN(s.required.Load()) }

// CommitLSN is a position at or after every transaction that was committed on the primary before the call, with
// synchronous_commit not off. ctx bounds it.
func (s *Set) CommitLSN(ctx context.Context) (LSN, error) {
	var text string
	if err := s.primary.pool.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&text); err != nil {
		return 0, fmt.Errorf("replica: commit LSN: %w", err)
	}
	return ParseLSN(text)
}
