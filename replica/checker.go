package replica

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// fastest is the shortest pause between two looks at a server that only has to catch up.
	fastest = 20 * time.Millisecond
	// eager is the shortest pause between two looks that somebody waits for; it doubles up to lazy while they are in vain.
	eager = time.Millisecond
	lazy  = 16 * time.Millisecond
	// succession is how often the others are asked then, whether one of them is the primary now.
	succession = 50 * time.Millisecond
	// search is how often a lost primary is looked for, so that a failover is followed soon.
	search = 200 * time.Millisecond
)

// watch owns one server: it measures it once an interval, sooner when it has reason to or is asked.
func (g *Group) watch(ctx context.Context, n *server) {
	defer n.hangUp(g.o.CheckTimeout)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if n.writer {
			g.checkWriter(ctx, n)
		} else {
			g.checkReplica(ctx, n)
		}
		if ctx.Err() != nil {
			return
		}
		g.publish()
		if !g.rest(ctx, n, timer, time.Now()) {
			return
		}
	}
}

// rest waits until the server is due for its next look; false when ctx ends.
func (g *Group) rest(ctx context.Context, n *server, timer *time.Timer, last time.Time) bool {
	timer.Reset(g.nextLook(n))
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-n.nudge:
			n.pause = 0
			timer.Reset(fastest - time.Since(last)) // however many ask, they share a look
		case <-n.poke:
			n.pause = 0
			gap := n.gap
			n.gap = min(2*gap, lazy) // until a look is not in vain
			return sleep(ctx, gap-time.Since(last))
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

// nextLook is the pause before the next measurement that nobody asks for.
func (g *Group) nextLook(n *server) time.Duration {
	healthy := n.healthy.Load()
	switch {
	case n.strikes > 0 && healthy: // it did not answer its last check in time
		return min(fastest, g.o.Interval)
	case n.writer && !healthy:
		return min(search, g.o.Interval)
	case !g.writer.healthy.Load(): // one of them may be the next primary
		return min(succession, g.o.Interval)
	case !n.writer && healthy && n.replayed.Load() < g.required(): // reads should return to it soon after a write
		n.pause = max(fastest, 2*n.pause)
		return min(n.pause, g.o.Interval)
	}
	n.pause = 0
	return g.o.Interval
}

func (g *Group) checkWriter(ctx context.Context, n *server) {
	required := map[*Set]uint64{} // before asking: see below
	g.each(func(s *Set) { required[s] = s.required.Load() })
	at := time.Now()
	r, err := g.measure(ctx, n)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil:
	case r.standby:
		err = errNotPrimary
	case !g.fence.Observe(r.timeline):
		err = errOldTimeline
	}
	if err != nil {
		if errors.Is(err, errNotPrimary) || errors.Is(err, errOldTimeline) {
			n.hangUp(g.o.CheckTimeout) // the next connection may find the right one
		}
		g.checkFailed(n, err)
		return
	}
	if before := n.timeline.Swap(r.timeline); before != 0 && before != r.timeline {
		g.moved(before, r.timeline)
	}
	n.replayed.Store(uint64(r.lsn))
	g.history.add(sample{r.lsn, at})
	g.bringBack(n, true)
	for s, was := range required {
		if uint64(r.inserted) < was {
			// The log is shorter than what was required: the primary lost its tail or was replaced. What it does not
			// have, nobody can be made to wait for. A requirement that came in since is left alone.
			s.required.CompareAndSwap(was, uint64(r.inserted))
		}
	}
}

// moved follows a failover: connections to the old primary are not used again.
func (g *Group) moved(from, to uint32) {
	g.o.Logger.Warn("the primary was replaced", "group", g.o.Name, "timeline", to, "before", from)
	g.counts.failovers.Add(1)
	g.each(func(s *Set) {
		s.primary.pool.Reset()
		if s.guarded != nil {
			s.guarded.Reset()
		}
	})
	for _, r := range g.replicas {
		signal(r.poke)
	}
}

func (g *Group) checkReplica(ctx context.Context, n *server) {
	r, err := g.measure(ctx, n)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		g.checkFailed(n, err)
		return
	}
	if n.cut {
		n.cut = false
		g.lines(n, (*Line).mend)
	}
	// What it receives tells the timeline for certain; between two connections of its own the last word stands.
	tli := max(n.timeline.Load(), r.timeline)
	n.timeline.Store(tli)
	n.primary.Store(!r.standby)
	n.delay.Store(int64(r.delay))
	if !r.standby {
		n.answers.Store(false)
		if tli < g.fence.Timeline() {
			g.takeOut(n, errOldTimeline, 0)
			return
		}
		if tli > g.fence.Timeline() {
			signal(g.writer.poke) // just promoted
			g.o.Gate.promoted()
		}
		g.takeOut(n, errNotReplica, 0)
		return
	}
	bytes, lag := g.history.behind(r.lsn, time.Now())
	n.lagBytes.Store(bytes)
	n.lag.Store(int64(lag))
	n.replayed.Store(uint64(r.lsn))
	n.answers.Store(true)
	if uint64(r.lsn) >= n.wanted.Load() {
		n.gap = eager
	}
	late := g.tooLate(n, bytes, lag)
	switch {
	case tli < g.fence.Timeline():
		g.takeOut(n, errOldTimeline, 0)
		n.replayed.Store(0)
	case late != nil:
		g.takeOut(n, late, 0)
	case g.o.MaxLatency > 0 && n.healthy.Load() && n.smoothed() > g.o.MaxLatency:
		g.takeOut(n, fmt.Errorf("slow: %s a read", n.smoothed().Round(time.Millisecond)), g.o.Cooldown)
	default:
		g.bringBack(n, false)
	}
}

func (g *Group) tooLate(n *server, bytes int64, lag time.Duration) error {
	switch {
	case g.o.MaxLagBytes > 0 && bytes > g.o.MaxLagBytes:
		return fmt.Errorf("%d bytes behind", bytes)
	case g.o.MaxLag > 0 && lag > g.o.MaxLag:
		return fmt.Errorf("%s behind", lag.Round(time.Millisecond))
	}
	return nil
}

// checkFailed takes a server out and lets the reads that hang on it go elsewhere. A late answer is no proof on a busy
// machine: it takes two in a row.
func (g *Group) checkFailed(n *server, err error) {
	n.strikes++
	if errors.Is(err, context.DeadlineExceeded) && n.strikes < 2 {
		return
	}
	n.answers.Store(false)
	g.takeOut(n, err, 0)
	if n.writer { // its reads have nowhere else to go
		return
	}
	n.cut = true
	g.lines(n, (*Line).cut)
	n.entries.drop(errTakenOut)
}

// lines does something with the lines to a server.
func (g *Group) lines(n *server, do func(*Line)) {
	g.each(func(s *Set) {
		for _, r := range s.replicas {
			if r.server == n {
				do(r.line)
			}
		}
	})
}

func (g *Group) takeOut(n *server, err error, least time.Duration) {
	n.setReason(err.Error())
	if !n.open(least) || errors.Is(err, errNotReplica) {
		return
	}
	g.o.Logger.Warn("database node taken out", "group", g.o.Name, "node", n.name, "error", err)
}

// bringBack lets reads use a server again: by probes first, at once when surely is true.
func (g *Group) bringBack(n *server, surely bool) {
	if n.healthy.Load() {
		return
	}
	if surely && n.close() || !surely && n.halfOpen() {
		n.latency.Store(0) // what made it slow is over, or the probes will tell
		g.o.Logger.Info("database node in use", "group", g.o.Name, "node", n.name)
	}
}
