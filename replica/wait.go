package replica

import (
	"context"
	"sync/atomic"
	"time"
)

// retryWait is for how long nobody waits for replicas after a wait was in vain: while they lag for long, every read would
// only be later by the wait.
const retryWait = 50 * time.Millisecond

// await waits until a replica has replayed need, at most TokenWait, having the replicas measured meanwhile. It does not wait
// for what cannot come: MaxLSN, or when no replica is in use.
func (s *Set) await(ctx context.Context, need LSN) bool {
	g := s.g
	if s.reached(need) {
		return true // only a probe stood in the way; pick again
	}
	if need == MaxLSN || !s.look(need) || g.o.TokenWait < 0 || time.Now().UnixNano() < g.noWait.Load() {
		g.counts.tokenPrimary.Add(1)
		return false
	}
	timer := time.NewTimer(g.o.TokenWait)
	defer timer.Stop()
	for {
		news := *g.news.Load()
		if s.reached(need) { // after taking news: nothing is missed
			g.counts.tokenWaited.Add(1)
			return true
		}
		s.look(need)
		select {
		case <-news:
		case <-timer.C:
			g.noWait.Store(time.Now().Add(retryWait).UnixNano())
			g.counts.tokenPrimary.Add(1)
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *Set) reached(need LSN) bool {
	for _, r := range s.replicas {
		if r.replayed.Load() >= uint64(need) && r.available() {
			return true
		}
	}
	return false
}

// look has the replicas in use measured soon; false when there are none.
func (s *Set) look(need LSN) (any bool) {
	for _, r := range s.replicas {
		if !r.healthy.Load() {
			continue
		}
		any = true
		if r.replayed.Load() < uint64(need) {
			raise(&r.wanted, uint64(need))
			signal(r.poke)
		}
	}
	return any
}

// raise makes v at least x.
func raise(v *atomic.Uint64, x uint64) bool {
	for {
		old := v.Load()
		if x <= old {
			return false
		}
		if v.CompareAndSwap(old, x) {
			return true
		}
	}
}
