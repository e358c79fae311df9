package cache

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// mend connects, and whenever Redis was left alone probes until it can be used again. While it is in use, each beat compares what
// it counted with what we heard.
func (l *l2) mend(ctx context.Context) {
	defer close(l.done)
	p := probing{longest: l.o.Probe}
	p.calm()
	for started := false; ; started = true {
		wait, wake := l.o.Beat, l.wake
		if l.up.Load() {
			l.beat(ctx)
			p.calm()
		}
		switch tripped := l.tripped.Swap(false); {
		case l.up.Load() && !l.owes():
		case tripped: // whoever answers one probe may still be too slow for all
			wait, wake = p.next(), nil
		default:
			if err := l.revive(ctx); err != nil {
				wait, wake = p.next(), nil
			} else {
				p.since = time.Now()
			}
		}
		if !started {
			close(l.ready)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-wake:
		}
		t.Stop()
	}
}

// probing paces the probes: each pause is twice the one before, until Redis has been in use for some time.
type probing struct {
	pause, longest time.Duration
	since          time.Time // in use since then
}

// firstPause is the shortest between probes.
const firstPause = 50 * time.Millisecond

func (p *probing) next() time.Duration {
	now := p.pause
	p.pause = min(2*p.pause, max(p.longest, firstPause))
	return now
}

// calm begins anew when Redis has stood for long enough.
func (p *probing) calm() {
	if time.Since(p.since) > 5*p.longest {
		p.pause = firstPause
	}
}

// beat reads the clock. Its failures count like anybody's, so an idle process notices as well that Redis is gone.
func (l *l2) beat(ctx context.Context) {
	born := l.table.g.now()
	m, err := l.readClock(ctx)
	if err != nil {
		return
	}
	if m.epoch == "" { // somebody has to begin; a clock that is not there has been lost
		if m, err = l.tick(ctx, l.o.Timeout, 0); err != nil {
			return
		}
	}
	l.saw(m.moment)
	if took, _ := l.succession(ctx); took {
		l.lose(m.epoch)
		return
	}
	if l.ledger.beat(m) {
		l.lost.Add(1)
		l.hooks.lost()
		return
	}
	l.table.learn(born, m.epoch, nil)
}

// revive closes the breaker once Redis answers and has heard every pending invalidation.
func (l *l2) revive(ctx context.Context) error {
	if l.client.Load() == nil {
		c, err := rueidis.NewClient(l.opt)
		if err != nil {
			return err
		}
		l.client.Store(&c)
	}
	floor := l.floor.Load()
	m, err := l.clockAnyway(ctx, l.o.Timeout, func(c rueidis.Client) rueidis.Completed { return l.tickCommand(c, 0, 0) }) // no more patience than a reader has
	if err != nil {
		return err
	}
	if m, err = l.renounce(ctx, floor, m); err != nil {
		return err
	}
	l.saw(m.moment)
	l.mending.Store(true)
	defer l.mending.Store(false)
	for {
		w, more, err := l.take()
		if !more {
			return err
		}
		for part := range w.parts() {
			m, err := l.bump(ctx, part)
			if err != nil {
				l.remember(w)
				return err
			}
			l.hooks.mended(m, part)
		}
	}
}

// lose has the mender give an epoch up.
func (l *l2) lose(epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lostEpoch = epoch
	l.up.Store(false)
	l.poke()
}

// renounce gives up the epoch that the clock shows if there is reason to.
func (l *l2) renounce(ctx context.Context, floor *moment, m reading) (reading, error) {
	took, masters := l.succession(ctx)
	l.mu.Lock()
	took = took || l.lostEpoch == m.epoch || m.before(floor)
	l.mu.Unlock()
	if took {
		l.o.Logger.Warn("a replica has taken over: everything in redis is given up")
		var err error
		if m, err = l.giveUp(ctx, m.epoch, masters); err != nil {
			return m, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lostEpoch != m.epoch {
		l.lostEpoch = ""
	}
	l.raiseFloor(m.moment)
	return m, nil
}

// parts are pieces that take one number of the clock each.
func (w change) parts() func(yield func(change) bool) {
	return func(yield func(change) bool) {
		if w.clear {
			yield(change{clear: true})
			return
		}
		for tags := range slices.Chunk(w.tags, chunk) {
			if !yield(change{tags: tags}) {
				return
			}
		}
		for keys := range slices.Chunk(w.keys, chunk) {
			if !yield(change{keys: keys}) {
				return
			}
		}
	}
}

// take empties the list of pending invalidations. When it is empty already, Redis is in use from this moment, unless there is an
// error.
func (l *l2) take() (w change, more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 && len(l.pendingKeys) == 0 && !l.pendingClear {
		if l.lostEpoch != "" {
			return w, false, errBehind
		}
		l.fails.Store(0)
		if !l.up.Swap(true) {
			l.o.Logger.Info("redis in use")
		}
		return w, false, nil
	}
	w = change{tags: slices.Collect(maps.Keys(l.pending)), keys: slices.Collect(maps.Keys(l.pendingKeys)), clear: l.pendingClear}
	l.pending, l.pendingKeys, l.pendingClear = map[string]struct{}{}, map[string]struct{}{}, false
	return w, true, nil
}

// remember keeps what Redis must hear before it is used again. More than MaxPending tags and keys become a clear.
func (l *l2) remember(w change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up.Store(false)
	l.pendingClear = l.pendingClear || w.clear
	if !l.pendingClear {
		for _, t := range w.tags {
			l.pending[t] = struct{}{}
		}
		for _, k := range w.keys {
			l.pendingKeys[k] = struct{}{}
		}
		l.pendingClear = len(l.pending)+len(l.pendingKeys) > l.o.MaxPending
	}
	if l.pendingClear {
		l.pending, l.pendingKeys = map[string]struct{}{}, map[string]struct{}{}
	}
	l.poke()
}

func (l *l2) owes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending)+len(l.pendingKeys) > 0 || l.pendingClear || l.lostEpoch != ""
}

func (l *l2) waiting() (tags int, clear bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) + len(l.pendingKeys), l.pendingClear
}
