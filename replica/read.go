package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errTakenOut cancels reads that still wait for a node whose check failed.
var errTakenOut = errors.New("replica: node was taken out")

type readFunc = func(ctx context.Context, db *pgxpool.Pool, node string) error

// Read runs fn on a healthy replica that is known to have replayed what is required, else on the primary. node is the name of
// what it runs on. fn is run again, elsewhere, when the node fails on the level of the connection; any other error of fn,
// and the end of ctx, is returned as it is. fn must use the ctx it is given and start afresh each time.
func (s *Set) Read(ctx context.Context, fn func(ctx context.Context, db *pgxpool.Pool, node string) error) error {
	var tried [8]*node // on the stack; more replicas than that are not all tried
	n := 0
	for n < len(tried) {
		r := s.pick(tried[:n])
		if r == nil {
			break
		}
		tried[n] = r
		n++
		err, again := s.attempt(ctx, r, fn)
		if !again {
			return err
		}
	}
	err, again := s.attempt(ctx, s.primary, fn)
	if !again {
		return err
	}
	return s.lastResort(ctx, fn, tried[:n], err)
}

// lastResort serves a read when the primary is gone: a replica may have caught up since it was last measured.
func (s *Set) lastResort(ctx context.Context, fn readFunc, tried []*node, primaryErr error) error {
	for _, r := range s.replicas {
		if contains(tried, r) || ctx.Err() != nil {
			continue
		}
		need := s.Required()
		if replayed, err := replayedNow(ctx, r, s.o.CheckTimeout); err != nil || replayed < need {
			continue
		}
		if err, again := s.attempt(ctx, r, fn); !again {
			return err
		}
	}
	return primaryErr
}

// pick chooses the better of two random eligible replicas that were not tried yet; nil when there is none.
func (s *Set) pick(tried []*node) *node {
	need := s.required.Load()
	var a, b *node
	seen := 0
	for _, r := range s.replicas { // reservoir sampling of two, without a slice
		if !r.healthy.Load() || r.replayed.Load() < need || contains(tried, r) {
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
	if b == nil || a.score() <= b.score() {
		return a
	}
	return b
}

// attempt runs fn on one node; again tells that the node failed, not the read.
func (s *Set) attempt(ctx context.Context, n *node, fn readFunc) (err error, again bool) {
	actx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	unwatch := context.AfterFunc(n.life(), func() { cancel(errTakenOut) })
	defer unwatch()

	n.inFlight.Add(1)
	start := time.Now()
	finished := false
	defer func() { // also when fn panics
		n.inFlight.Add(-1)
		if finished && err == nil {
			n.observe(time.Since(start))
		}
	}()
	err = fn(actx, n.pool, n.name)
	finished = true
	n.reads.Add(1)
	if err == nil || ctx.Err() != nil {
		return err, false
	}
	switch {
	case context.Cause(actx) == errTakenOut:
		n.failures.Add(1)
		return err, true
	case connectionFailed(err):
		n.failures.Add(1)
		if n != s.primary { // the primary is the last resort: it is always asked
			s.takeOut(n, err)
		}
		return err, true
	case n != s.primary && recoveryConflict(err):
		n.failures.Add(1) // replay won over the query: the node is fine, another one may answer
		return err, true
	}
	return err, false
}

func contains(nodes []*node, n *node) bool {
	for _, x := range nodes {
		if x == n {
			return true
		}
	}
	return false
}
