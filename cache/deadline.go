package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines hands out contexts that end at least limit from now and at most deadlineStep later. Those of one step share one,
// because a context of its own with its timer would cost a read of L2 a tenth of its time.
type deadlines struct {
	mu      sync.Mutex
	current atomic.Pointer[deadline]
}

type deadline struct {
	ctx    context.Context
	cancel context.CancelFunc
	until  time.Time // not handed out from then on
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
	c.ctx, c.cancel = context.WithTimeout(context.Background(), limit+deadlineStep)
	context.AfterFunc(c.ctx, c.cancel)
	d.current.Store(c)
	return c.ctx
}
