package replica

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// member is a server with the way to one database on it.
type member struct {
	*server
	pool *pgxpool.Pool
	line *Line // nil: the pool's connections cannot be cut
}

// Set is one database on the servers of a Group. Pools are borrowed: whoever made them closes them, after Close of the Set.
// It is safe for concurrent use.
type Set struct {
	g        *Group
	own      bool // the group is this set's alone
	name     string
	primary  member
	replicas []member
	guarded  *pgxpool.Pool // for reads on the primary; nil: its own pool
	closed   atomic.Bool
	required atomic.Uint64
}

// New makes a Set with a Group of its own; see NewGroup for what the pools must be. Until the replicas have been measured,
// the primary answers all reads.
func New(primary *pgxpool.Pool, replicas []Replica, o Options) *Set {
	g := NewGroup(primary, replicas, o)
	s, err := g.Set(g.o.Name, primary, replicas)
	if err != nil { // a configuration that made a pool once makes another
		g.o.Logger.Warn("reads on the primary share its pool", "error", err)
		s = &Set{g: g, name: g.o.Name, primary: member{g.writer, primary, nil}}
	}
	s.own = true
	return s
}

// Close ends the Set, and its Group if it has one of its own. Later reads go on with what was found last. Close may be called
// again.
func (s *Set) Close() {
	if s.own {
		s.g.Close()
		return
	}
	s.g.forget(s)
	s.release()
}

func (s *Set) release() {
	if s.closed.Swap(true) {
		return
	}
	if s.guarded != nil {
		s.guarded.Close()
	}
	for _, r := range s.replicas {
		r.line.mend() // nobody else would
	}
}

// Name is the database's name in tokens.
func (s *Set) Name() string { return s.name }

// Primary is the pool for writes, and for reads that must not go anywhere else.
func (s *Set) Primary() *pgxpool.Pool { return s.primary.pool }

// primaryReads is the primary's pool for reads.
func (s *Set) primaryReads() *pgxpool.Pool {
	if s.guarded == nil || s.closed.Load() {
		return s.primary.pool
	}
	return s.guarded
}

// Status lists the way to the primary first, then the replicas as they were given.
func (s *Set) Status() []Status {
	all := []Status{s.primary.status()}
	for _, r := range s.replicas {
		all = append(all, r.status())
	}
	return all
}

// Require makes all later reads of this process see at least l. Lower values than an earlier one change nothing.
func (s *Set) Require(l LSN) {
	if !raise(&s.required, uint64(l.settle())) {
		return
	}
	for _, r := range s.replicas {
		if r.healthy.Load() {
			signal(r.nudge)
		}
	}
}

// Required is the LSN that reads must see.
func (s *Set) Required() LSN { return LSN(s.required.Load()) }

// CommitLSN is a position at or after every transaction that was committed on the primary before the call with
// synchronous_commit not off. ctx bounds it.
func (s *Set) CommitLSN(ctx context.Context) (LSN, error) { return s.position(ctx, flushedSQL) }

// InsertLSN is CommitLSN for transactions with synchronous_commit off. Replicas get there when the log is written, a fraction of a
// second later.
func (s *Set) InsertLSN(ctx context.Context) (LSN, error) { return s.position(ctx, insertedSQL) }

const (
	flushedSQL  = "SELECT pg_current_wal_flush_lsn()::text"
	insertedSQL = "SELECT pg_current_wal_insert_lsn()::text"
)

func (s *Set) position(ctx context.Context, sql string) (LSN, error) {
	var text string
	if err := s.primary.pool.QueryRow(ctx, sql).Scan(&text); err != nil {
		return 0, fmt.Errorf("replica: commit LSN: %w", err)
	}
	l, err := ParseLSN(text)
	return l.settle(), err
}

// Wrote notes in ctx's Collector how far this database's log is now, to be called after a commit that Write did not make; lazy tells
// that it was one with synchronous_commit off. Without a Collector it does nothing. When the position cannot be learnt, later
// reads of that session go to the primary, and the error says why.
func (s *Set) Wrote(ctx context.Context, lazy bool) error {
	c := CollectorFrom(ctx)
	if c == nil {
		return nil
	}
	sql := flushedSQL
	if lazy {
		sql = insertedSQL
	}
	l, err := s.position(ctx, sql)
	if err != nil {
		l = MaxLSN
	}
	c.Record(s.name, l)
	return err
}
