package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// group lets callers that want the same key at the same time share one piece of work.
type group[R any] struct {
	mu    sync.Mutex
	calls map[string]*call[R]
}

type call[R any] struct {
	done     chan struct{}
	result   R
	err      error
	panicked *panicError
	waiters  int                // guarded by group.mu
	detached bool               // it goes on without waiters; guarded by group.mu
	cancel   context.CancelFunc // nil until the work has begun; guarded by group.mu
}

// waits are the bounds of a piece of work and of a caller's patience with it; the latter may be 0, for none.
type waits struct{ work, caller time.Duration }

// panicError carries a panic from the goroutine of a load to everybody who waits for it.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string {
	return fmt.Sprintf("panic in a load: %v\n\n%s", p.value, p.stack)
}

// do runs work for key, or waits for the call that already does (joined). The first caller tries quick itself, which must be
// quick; only when that says no does work begin, in a goroutine that spawn starts and its owner waits for. The context of
// the work carries the values of the first caller's, ends after its limit, and is cancelled when the last waiter has gone,
// unless one of them left out of impatience: then it goes on. What work returns besides its result is run after the waiters
// have been answered.
func (g *group[R]) do(ctx context.Context, key string, limit waits, spawn func(func()) bool, quick func() (R, bool),
	work func(ctx context.Context) (R, func())) (res R, joined bool, err error) {
	g.mu.Lock()
	c, joined := g.calls[key]
	if !joined {
		c = g.add(key)
	}
	c.waiters++
	g.mu.Unlock()
	if !joined && (quick == nil || !g.first(key, c, quick)) {
		g.begin(ctx, key, c, limit.work, spawn, work)
	}

	var impatient <-chan time.Time
	if limit.caller > 0 {
		t := time.NewTimer(limit.caller)
		defer t.Stop()
		impatient = t.C
	}
	select {
	case <-c.done:
		if c.panicked != nil {
			panic(c.panicked)
		}
		return c.result, joined, c.err
	case <-ctx.Done():
		g.leave(key, c, false)
		return res, joined, context.Cause(ctx)
	case <-impatient:
		g.leave(key, c, true)
		return res, joined, ErrTimeout
	}
}

// add registers a call. The caller holds mu.
func (g *group[R]) add(key string) *call[R] {
	c := &call[R]{done: make(chan struct{})}
	if g.calls == nil {
		g.calls = map[string]*call[R]{}
	}
	g.calls[key] = c
	return c
}

// first tries to finish a call without a goroutine of its own.
func (g *group[R]) first(key string, c *call[R], quick func() (R, bool)) (done bool) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked, done = &panicError{v, debug.Stack()}, true
		}
		if done {
			g.finish(key, c)
		}
	}()
	c.result, done = quick()
	return done
}

// start runs work for key with nobody waiting; false when there is already a call. A panic of it reaches those who have joined, if
// any.
func (g *group[R]) start(ctx context.Context, key string, limit time.Duration, spawn func(func()) bool,
	work func(ctx context.Context) (R, func())) bool {
	g.mu.Lock()
	if _, running := g.calls[key]; running {
		g.mu.Unlock()
		return false
	}
	c := g.add(key)
	c.detached = true
	g.mu.Unlock()
	g.begin(ctx, key, c, limit, spawn, work)
	return true
}

// begin starts the work of a call, or ends the call when no more may begin.
func (g *group[R]) begin(ctx context.Context, key string, c *call[R], limit time.Duration, spawn func(func()) bool,
	work func(ctx context.Context) (R, func())) {
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	g.mu.Lock()
	c.cancel = cancel
	g.mu.Unlock()
	if !spawn(func() { g.run(wctx, key, c, work) }) {
		cancel()
		c.err = ErrClosed
		g.finish(key, c)
	}
}

func (g *group[R]) run(ctx context.Context, key string, c *call[R], work func(ctx context.Context) (R, func())) {
	defer c.cancel()
	var after func()
	func() {
		defer func() {
			if v := recover(); v != nil {
				c.panicked = &panicError{v, debug.Stack()}
			}
			g.finish(key, c)
		}()
		c.result, after = work(ctx)
	}()
	if after != nil {
		after()
	}
}

// finish answers everybody.
func (g *group[R]) finish(key string, c *call[R]) {
	g.mu.Lock()
	g.forget(key, c)
	g.mu.Unlock()
	close(c.done)
}

// leave takes one waiter away; without waiters the work is cancelled unless it is to go on, and the next caller starts anew.
func (g *group[R]) leave(key string, c *call[R], goOn bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.detached = c.detached || goOn
	if c.waiters--; c.waiters == 0 && !c.detached {
		if c.cancel != nil {
			c.cancel()
		}
		g.forget(key, c)
	}
}

func (g *group[R]) forget(key string, c *call[R]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}
