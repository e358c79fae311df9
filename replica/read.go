package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errTakenOut ends reads that still wait for a server whose check failed.
var errTakenOut = errors.New("replica: node was taken out")

// work is what a read does: one of the two.
type work struct {
	view func(ctx context.Context, db Reader) error
	read func(ctx context.Context, db *pgxpool.Pool, node string) error
}

func (w work) on(ctx context.Context, m member) error {
	if w.view != nil {
		return w.view(ctx, Reader{m.pool, m.name})
	}
	return w.read(ctx, m.pool, m.name)
}

// View runs fn with a handle that can only read, on a healthy replica that has replayed what this process (Require), the session
// (WithToken) and the request so far (Collector) must see. When no replica has, it waits for one, at most TokenWait, and
// then takes the primary, within its budget (ErrOverloaded). fn is run again, elsewhere, when the node fails on the level of
// the connection; any other error of fn, and the end of ctx, is returned as it is. fn must use the ctx it is given and start
// afresh each time.
func (s *Set) View(ctx context.Context, fn func(ctx context.Context, db Reader) error) error {
	return s.serve(ctx, work{view: fn})
}

// Read is View for code that needs the pool itself. What fn writes fails, by the server's word: replicas and the connections
// to the primary that reads use are read-only. Without replicas only fn's own discipline keeps it from writing.
func (s *Set) Read(ctx context.Context, fn func(ctx context.Context, db *pgxpool.Pool, node string) error) error {
	return s.serve(ctx, work{read: fn})
}

func (s *Set) serve(ctx context.Context, fn work) error {
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
func (s *Set) otherwise(ctx context.Context, fn work, need LSN, tried []*server) error {
	giveUp := time.Now().Add(s.g.o.ReadWait)
	for {
		err, again := s.readPrimary(ctx, fn)
		if !again {
			return err
		}
		signal(s.g.writer.poke)
		if len(s.replicas) == 0 {
			return err
		}
		done, lastErr := s.lastResort(ctx, fn, need, tried)
		if done {
			return lastErr
		}
		if time.Now().After(giveUp) || ctx.Err() != nil {
			return err
		}
		tried = nil // who failed may be back
	}
}

// need is the position that a read must see.
func (s *Set) need(ctx context.Context) LSN {
	need := LSN(s.required.Load())
	if len(s.replicas) == 0 {
		return need
	}
	return max(need, sessionFrom(ctx).lsn(s.name))
}

// readPrimary serves a read in place of the replicas, within the budget.
func (s *Set) readPrimary(ctx context.Context, fn work) (err error, again bool) {
	if len(s.replicas) > 0 {
		if err := s.g.budget.acquire(ctx); err != nil {
			return err, false
		}
		defer s.g.budget.release()
	}
	return s.attempt(ctx, member{s.primary.server, s.primaryReads(), nil}, false, fn)
}

// lastResort serves a read when the primary is gone: on the first replica that is found to be far enough, whatever else is wrong with
// it, within a moment, after which the primary is asked again. done tells that one answered.
func (s *Set) lastResort(ctx context.Context, fn work, need LSN, tried []*server) (done bool, err error) {
	for _, r := range s.replicas {
		signal(r.poke)
	}
	pause := time.NewTimer(succession/2 + rand.N(succession)) // not all at once
	defer pause.Stop()
	for {
		news := *s.g.news.Load()
		for _, r := range s.replicas {
			// A requirement may have been lowered meanwhile: what nobody has, nobody is made to wait for.
			if contains(tried, r.server) || !r.answers.Load() || r.timeline.Load() < s.g.fence.Timeline() ||
				r.replayed.Load() < uint64(min(need, s.need(ctx))) {
				continue
			}
			if err, again := s.attempt(ctx, r, false, fn); !again {
				return true, err
			}
			tried = append(tried, r.server)
		}
		select {
		case <-news:
		case <-pause.C:
			return false, nil
		case <-ctx.Done():
			return false, nil
		}
	}
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
		switch seen++; seen {
		case 1:
			a = r
		case 2:
			b = r
		default:
			switch rand.IntN(seen) {
			case 0:
				a = r
			case 1:
				b = r
			}
		}
	}
	if b.server == nil || a.server != nil && a.score() <= b.score() {
		return a, false
	}
	return b, false
}

// attempt runs fn on one node; again tells that the node failed, not the read.
func (s *Set) attempt(ctx context.Context, m member, probe bool, fn work) (err error, again bool) {
	f := m.depart(ctx)
	returned := false
	defer func() { // also when fn panics
		m.arrive(f, returned && err == nil)
		if probe {
			m.probed(returned && !again)
		}
	}()
	err = fn.on(f.ctx, m)
	returned = true
	if err == nil || ctx.Err() != nil {
		return err, false
	}
	return err, s.nodeFailed(m, f, err)
}

// nodeFailed tells whether err is the node's failure, and takes it out if so.
func (s *Set) nodeFailed(m member, f flight, err error) bool {
	n := m.server
	switch {
	case m.dropped(f):
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
