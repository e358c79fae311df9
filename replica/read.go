package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errTakenOut cancels reads that still wait for a server whose check failed.
var errTakenOut = errors.New("replica: node was taken out")

// birth is what times of reads are counted from.
var birth = time.Now()

type readFunc = func(ctx context.Context, db *pgxpool.Pool, node string) error

// View runs fn with a handle that can only read, on a healthy replica that has replayed what this process (Require), the session
// (WithToken) and the request so far (Collector) must see. When no replica has, it waits for one, at most TokenWait, and
// then takes the primary, within its budget (ErrOverloaded). fn is run again, elsewhere, when the node fails on the level of
// the connection; any other error of fn, and the end of ctx, is returned as it is. fn must use the ctx it is given and start
// afresh each time.
func (s *Set) View(ctx context.Context, fn func(ctx context.Context, db Reader) error) error {
	return s.Read(ctx, func(ctx context.Context, db *pgxpool.Pool, node string) error {
		return fn(ctx, Reader{db, node})
	})
}

// Read is View for code that needs the pool itself. What fn writes fails, by the server's word: replicas and the connections
// to the primary that reads use are read-only. Without replicas only fn's own discipline keeps it from writing.
func (s *Set) Read(ctx context.Context, fn func(ctx context.Context, db *pgxpool.Pool, node string) error) error {
	need := s.need(ctx)
	var list [8]*server // on the stack; more replicas than that are not all tried
	tried := list[:0]
	for len(tried) < len(list) {
		m, probe := s.pick(need, tried)
		if m.server == nil {
			if len(tried) > 0 || need == 0 || !s.await(ctx, need) {
				break
			}
			if m, probe = s.pick(need, tried); m.server == nil {
				break
			}
		}
		tried = append(tried, m.server)
		err, again := s.attempt(ctx, m, probe, fn)
		if !again {
			return err
		}
	}
	return s.otherwise(ctx, fn, need, tried)
}

// otherwise serves what no replica in use can: on the primary, or, while there is none, on whoever is far enough first.
func (s *Set) otherwise(ctx context.Context, fn readFunc, need LSN, tried []*server) error {
	giveUp := time.Now().Add(s.g.o.ReadWait)
	for {
		err, again := s.readPrimary(ctx, fn)
		if !again {
			return err
		}
		signal(s.g.writer.poke)
		done, lastErr := s.lastResort(ctx, fn, need, tried)
		if done {
			return lastErr
		}
		pause := succession/2 + rand.N(succession)
		if len(s.replicas) == 0 || time.Now().Add(pause).After(giveUp) || !sleep(ctx, pause) {
			return err
		}
	}
}

// need is the position that a read must see.
func (s *Set) need(ctx context.Context) LSN {
	need := LSN(s.required.Load())
	if len(s.replicas) == 0 {
		return need
	}
	if t, ok := ctx.Value(tokenKey{}).(Token); ok {
		need = max(need, t.LSN(s.name))
	}
	if c := CollectorFrom(ctx); c != nil {
		need = max(need, c.lsn(s.name))
	}
	return need
}

// readPrimary serves a read in place of the replicas, within the budget.
func (s *Set) readPrimary(ctx context.Context, fn readFunc) (err error, again bool) {
	if len(s.replicas) > 0 {
		if err := s.g.budget.acquire(ctx); err != nil {
			return err, false
		}
		defer s.g.budget.release()
	}
	return s.attempt(ctx, member{s.primary.server, s.primaryReads()}, false, fn)
}

// lastResort serves a read when the primary is gone: a replica may have caught up since it was last measured. done tells that one
// answered.
func (s *Set) lastResort(ctx context.Context, fn readFunc, need LSN, tried []*server) (done bool, err error) {
	for _, r := range s.replicas {
		if contains(tried, r.server) || ctx.Err() != nil {
			continue
		}
		// A requirement may have been lowered meanwhile: what nobody has, nobody is made to wait for.
		now, err := r.measureNow(ctx, s.g.o.CheckTimeout)
		if err != nil || !now.standby || now.lsn < min(need, s.need(ctx)) || now.timeline < s.g.fence.Timeline() {
			continue
		}
		if err, again := s.attempt(ctx, r, false, fn); !again {
			return true, err
		}
	}
	return false, nil
}

// pick chooses the better of two random eligible replicas that were not tried yet; none when there is none. A replica on
// probation is given the read as its probe.
func (s *Set) pick(need LSN, tried []*server) (m member, probe bool) {
	var a, b member
	seen := 0
	for _, r := range s.replicas { // reservoir sampling of two, without a slice
		if r.replayed.Load() < uint64(need) || contains(tried, r.server) {
			continue
		}
		ok, probe := r.admit()
		if probe {
			return r, true
		}
		if !ok {
			continue
		}
		seen++
		switch i := rand.IntN(seen); {
		case seen == 1:
			a = r
		case seen == 2:
			b = r
		case i == 0:
			a = r
		case i == 1:
			b = r
		}
	}
	if b.server == nil || a.server != nil && a.score() <= b.score() {
		return a, false
	}
	return b, false
}

// attempt runs fn on one node; again tells that the node failed, not the read.
func (s *Set) attempt(ctx context.Context, m member, probe bool, fn readFunc) (err error, again bool) {
	n := m.server
	actx, cancel := context.WithCancelCause(ctx)
	flight := flight{cancel: cancel}
	n.flights.add(&flight)
	n.inFlight.Add(1)
	start := time.Since(birth) // half the price of time.Now, which also reads the time of day
	finished := false
	defer func() { // also when fn panics
		n.flights.remove(&flight)
		cancel(nil)
		n.inFlight.Add(-1)
		if finished && err == nil {
			n.observe(time.Since(birth) - start)
		}
		if probe {
			n.probed(finished && !again)
		}
	}()
	err = fn(actx, m.pool, n.name)
	finished = true
	n.reads.Add(1)
	if err == nil || ctx.Err() != nil {
		return err, false
	}
	return err, s.nodeFailed(actx, n, err)
}

// nodeFailed tells whether err is the node's failure, and takes it out if so.
func (s *Set) nodeFailed(actx context.Context, n *server, err error) bool {
	switch {
	case context.Cause(actx) == errTakenOut:
	case connectionFailed(err):
		if !n.writer { // the primary is the last resort: it is always asked
			s.g.takeOut(n, err, 0)
			signal(n.nudge)
		}
	case !n.writer && recoveryConflict(err): // replay won over the query: the node is fine, another one may answer
	default:
		return false
	}
	n.failures.Add(1)
	return true
}

func contains(nodes []*server, n *server) bool {
	for _, x := range nodes {
		if x == n {
			return true
		}
	}
	return false
}
