package waf

import (
	"context"
	"time"
)

// heavyText is the text beyond which a request is heavy.
const heavyText = 8 << 10

// turns lets few heavy requests be inspected at once.
type turns struct {
	slots chan struct{}
	wait  time.Duration
}

func newTurns(n int, wait time.Duration) *turns {
	return &turns{slots: make(chan struct{}, max(1, n)), wait: wait}
}

// take waits for a turn; ok is false when there was none in time, or ctx ended.
func (t *turns) take(ctx context.Context) (done func(), ok bool) {
	done = func() { <-t.slots }
	select {
	case t.slots <- struct{}{}: // also when the wait is over before it begins
		return done, true
	default:
	}
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case t.slots <- struct{}{}:
		return done, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, false
}
