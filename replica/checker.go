package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// fastest is the shortest pause between two rounds, however many requirements come in.
const fastest = 20 * time.Millisecond

// check measures all nodes once an interval. While a healthy replica has yet to reach what is required it looks again
// sooner, starting at fastest and doubling, so that reads return to the replicas soon after a write.
func (s *Set) check(ctx context.Context) {
	defer s.closeConns()
	timer := time.NewTimer(s.o.Interval)
	defer timer.Stop()
	pause := fastest
	for {
		s.round(ctx)
		wait := s.o.Interval
		if s.suspects() {
			wait = min(fastest, s.o.Interval)
		} else if s.behind() {
			wait = min(pause, s.o.Interval)
			pause *= 2
		} else {
			pause = fastest
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
			pause = fastest
			if !sleep(ctx, fastest) { // replay takes a moment; many requirements share a round
				return
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// suspects tells whether a node in use did not answer its last check in time.
func (s *Set) suspects() bool {
	for _, n := range append([]*node{s.primary}, s.replicas...) {
		if n.strikes > 0 && n.healthy.Load() {
			return true
		}
	}
	return false
}

func (s *Set) behind() bool {
	need := s.required.Load()
	for _, r := range s.replicas {
		if r.healthy.Load() && r.replayed.Load() < need {
			return true
		}
	}
	return false
}

// round measures the primary first, so that lag is never computed against an older position than the replica's, then the
// replicas in parallel.
func (s *Set) round(ctx context.Context) {
	required := s.required.Load() // before asking: see below
	at := time.Now()
	lsn, err := s.measure(ctx, s.primary, "SELECT pg_current_wal_lsn()::text")
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.checkFailed(s.primary, err)
	} else {
		s.primary.replayed.Store(uint64(lsn))
		s.samples.add(sample{lsn, at})
		s.bringBack(s.primary)
		if uint64(lsn) < required {
			// The log is shorter than what was required: the primary lost its tail or was replaced. What it does not
			// have, nobody can be made to wait for. A requirement that came in since is left alone.
			s.required.CompareAndSwap(required, uint64(lsn))
		}
	}
	var wg sync.WaitGroup
	for _, r := range s.replicas {
		wg.Go(func() { s.checkReplica(ctx, r) })
	}
	wg.Wait()
}

func (s *Set) checkReplica(ctx context.Context, r *node) {
	replayed, err := s.measure(ctx, r, replayedSQL)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.checkFailed(r, err)
		return
	}
	bytes, lag := s.samples.behind(replayed, time.Now())
	r.replayed.Store(uint64(replayed))
	r.lagBytes.Store(bytes)
	r.lag.Store(int64(lag))
	switch {
	case s.o.MaxLagBytes > 0 && bytes > s.o.MaxLagBytes:
		s.takeOut(r, fmt.Errorf("%d bytes behind", bytes))
	case s.o.MaxLag > 0 && lag > s.o.MaxLag:
		s.takeOut(r, fmt.Errorf("%s behind", lag.Round(time.Millisecond)))
	default:
		s.bringBack(r)
	}
}

// checkFailed takes a node out and lets the reads that hang on it go elsewhere. A late answer is no proof on a busy
// machine: it takes two in a row.
func (s *Set) checkFailed(n *node, err error) {
	n.strikes++
	if errors.Is(err, context.DeadlineExceeded) && n.strikes < 2 {
		return
	}
	s.takeOut(n, err)
	if n != s.primary { // its reads have nowhere else to go
		n.dropReads()
	}
}

func (s *Set) takeOut(n *node, err error) {
	n.setReason(err.Error())
	if n.healthy.CompareAndSwap(true, false) {
		s.o.Logger.Warn("database node taken out", "set", s.o.Name, "node", n.name, "error", err)
	}
}

func (s *Set) bringBack(n *node) {
	if n.healthy.CompareAndSwap(false, true) {
		s.o.Logger.Info("database node in use", "set", s.o.Name, "node", n.name)
	}
}
