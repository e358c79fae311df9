package cache

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// mend connects, and whenever Redis was left alone probes until it can be used again.
func (l *l2) mend(ctx context.Context) {
	defer close(l.done)
	const first = 50 * time.Millisecond
	pause := first
	for started := false; ; started = true {
		err := l.revive(ctx)
		if !started {
			close(l.ready)
		}
		var retry <-chan time.Time
		var wake <-chan struct{}
		if err != nil {
			retry = time.After(pause)
			pause = min(2*pause, l.o.Probe)
		} else {
			wake, pause = l.wake, first
		}
		select {
		case <-ctx.Done():
			return
		case <-retry:
		case <-wake:
		}
	}
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
	if _, err := l.tick(ctx, l.patience(), 0); err != nil {
		return err
	}
	for {
		tags, clear, ok := l.take()
		if !ok {
			return nil
		}
		if err := l.bump(ctx, tags, clear); err != nil {
			l.remember(tags, clear)
			return err
		}
	}
}

// take empties the list of pending invalidations. When it is empty already, Redis is in use from this moment, and ok is false.
func (l *l2) take() (tags []string, clear, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 && !l.pendingClear {
		l.fails.Store(0)
		if !l.up.Swap(true) {
			l.o.Logger.Info("redis in use")
		}
		return nil, false, false
	}
	for t := range l.pending {
		tags = append(tags, t)
	}
	clear = l.pendingClear
	l.pending, l.pendingClear = map[string]struct{}{}, false
	return tags, clear, true
}

// remember keeps what Redis must hear before it is used again. More than MaxPending tags become a clear.
func (l *l2) remember(tags []string, clear bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up.Store(false)
	l.pendingClear = l.pendingClear || clear
	for _, t := range tags {
		if l.pendingClear {
			break
		}
		l.pending[t] = struct{}{}
		l.pendingClear = len(l.pending) > l.o.MaxPending
	}
	if l.pendingClear {
		l.pending = map[string]struct{}{}
	}
	l.poke()
}

func (l *l2) waiting() (tags int, clear bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending), l.pendingClear
}
