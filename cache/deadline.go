package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ownTime ends a context after limit of this process's own time: it waits that long in ticks, one after another, so that of a time in
// which the process stood still (its quota was used up, its machine was busy with others, it was stopped) at most one tick counts. The
// answer has often come meanwhile and has only to be read; by the wall clock it would be Redis that is blamed, and left alone, for what we
// did not hear.
type ownTime struct {
	context.Context
	end  context.CancelCauseFunc
	tick time.Duration

	mu    sync.Mutex
	left  int
	timer *time.Timer
}

// ticks of an ownTime: a process whose quota lets it run for a moment of each tick has as many moments.
const ticks = 5

// inOwnTime makes one below ctx. stop ends it earlier.
func inOwnTime(ctx context.Context, limit time.Duration) (o *ownTime, stop func()) {
	o = &ownTime{tick: limit / ticks, left: ticks}
	o.Context, o.end = context.WithCancelCause(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.timer = time.AfterFunc(o.tick, o.ticked)
	return o, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.left = 0
		o.timer.Stop()
		o.end(nil)
	}
}

func (o *ownTime) ticked() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left--; o.left > 0 {
		o.timer.Reset(o.tick)
	} else {
		o.end(context.DeadlineExceeded)
	}
}

// Err says that time is up rather than that somebody left.
func (o *ownTime) Err() error {
	err := o.Context.Err()
	if err != nil && context.Cause(o.Context) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return err
}

// deadlines hands out contexts that end at least limit from now, in the process's own time, and at most deadlineStep later. Those of one
// step share one, because a context of its own with its timer would cost a read of L2 a tenth of its time.
type deadlines struct {
	mu      sync.Mutex
	current atomic.Pointer[deadline]
}

type deadline struct {
	ctx   context.Context
	until time.Time // not handed out from then on
}

const deadlineStep = 10 * time.Millisecond

func (d *deadlines) from(now time.Time, limit time.Duration) context.Context {
	if c := d.current.Load(); c != nil && now.Before(c.until) {
		return c.ctx
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.current.Load(); c != nil && now.Before(c.until) {
		return c.ctx
	}
	c := &deadline{until: now.Add(deadlineStep)}
	c.ctx, _ = inOwnTime(context.Background(), limit+deadlineStep) // it ends by itself
	d.current.Store(c)
	return c.ctx
}
