package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// group lets callers that want the same key at the same time share one piece of work, whether they want it alone or with others.
type group[R any] struct {
	mu    sync.Mutex
	calls map[string]*call[R]
}

// call is the wish for one key.
type call[R any] struct {
	done     chan struct{}
	result   R
	err      error
	panicked *panicError
	job      *job
	waiters  int  // guarded by group.mu
	detached bool // it goes on without waiters; guarded by group.mu
}

// job is the work for one call or several that were begun together. It is cancelled when nobody waits for any of them any more.
type job struct {
	cancel context.CancelFunc // nil until the work has begun; guarded by group.mu
	wanted int                // unfinished calls that have waiters, or are detached; guarded by group.mu
}

// work does what a job is for: it answers keys as soon as it can. A key that it does not answer has the zero result. What it returns
// is run after everybody has been answered.
type work[R any] = func(ctx context.Context, answer func(key string, r R)) (after func())

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
// unless one of them left out of impatience: then it goes on.
func (g *group[R]) do(ctx context.Context, key string, limit waits, spawn func(func()) bool, quick func() (R, bool),
	work work[R]) (res R, joined bool, err error) {
	g.mu.Lock()
	c, joined := g.calls[key]
	if !joined {
		c = g.add(key, &job{})
	}
	c.waiters++
	g.mu.Unlock()
	if !joined && (quick == nil || !g.first(key, c, quick)) {
		g.begin(ctx, c.job, map[string]*call[R]{key: c}, limit.work, spawn, work)
	}
	p := newPatience(ctx, limit.caller)
	defer p.stop()
	if err := g.wait(key, c, p); err != nil {
		return res, joined, err
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.result, joined, c.err
}

// add registers a call. The caller holds mu.
func (g *group[R]) add(key string, j *job) *call[R] {
	c := &call[R]{done: make(chan struct{}), job: j}
	if g.calls == nil {
		g.calls = map[string]*call[R]{}
	}
	g.calls[key] = c
	j.wanted++
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

// start runs work for those of keys that nobody is at (mine), with nobody waiting. A panic of it reaches those who have joined, if
// any.
func (g *group[R]) start(ctx context.Context, keys []string, limit time.Duration, spawn func(func()) bool,
	work func(mine []string) work[R]) (mine []string) {
	calls, j := map[string]*call[R]{}, &job{}
	g.mu.Lock()
	for _, key := range keys {
		if _, running := g.calls[key]; !running {
			c := g.add(key, j)
			c.detached = true
			mine, calls[key] = append(mine, key), c
		}
	}
	g.mu.Unlock()
	if len(mine) > 0 {
		g.begin(ctx, j, calls, limit, spawn, work(mine))
	}
	return mine
}

// begin starts the work of calls, or ends them when no more may begin.
func (g *group[R]) begin(ctx context.Context, j *job, calls map[string]*call[R], limit time.Duration, spawn func(func()) bool, work work[R]) {
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	g.mu.Lock()
	j.cancel = cancel
	g.mu.Unlock()
	if !spawn(func() { defer cancel(); g.run(wctx, calls, work) }) {
		cancel()
		for key, c := range calls {
			c.err = ErrClosed
			g.finish(key, c)
		}
	}
}

// run owns calls.
func (g *group[R]) run(ctx context.Context, calls map[string]*call[R], work work[R]) {
	var after func()
	func() {
		defer func() {
			var broken *panicError
			if v := recover(); v != nil {
				broken = &panicError{v, debug.Stack()}
			}
			for key, c := range calls {
				c.panicked = broken
				g.finish(key, c)
			}
		}()
		after = work(ctx, func(key string, r R) {
			if c := calls[key]; c != nil {
				delete(calls, key)
				c.result = r
				g.finish(key, c)
			}
		})
	}()
	if after != nil {
		after()
	}
}

// finish answers everybody.
func (g *group[R]) finish(key string, c *call[R]) {
	g.mu.Lock()
	if g.forget(key, c) {
		c.job.wanted--
	}
	g.mu.Unlock()
	close(c.done)
}

// wait returns nil when the call is finished; else its caller has left it.
func (g *group[R]) wait(key string, c *call[R], p patience) error {
	select {
	case <-c.done:
		return nil
	case <-p.ctx.Done():
		g.leave(key, c, false)
		return context.Cause(p.ctx)
	case <-p.over:
		g.leave(key, c, true)
		return ErrTimeout
	}
}

// leave takes one waiter away; without waiters the work is cancelled unless it is to go on, and the next caller starts anew.
func (g *group[R]) leave(key string, c *call[R], goOn bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.detached = c.detached || goOn
	if c.waiters--; c.waiters > 0 || c.detached || !g.forget(key, c) {
		return
	}
	if c.job.wanted--; c.job.wanted == 0 && c.job.cancel != nil {
		c.job.cancel()
	}
}

// forget lets the next caller start anew; false when that is so already. The caller holds mu.
func (g *group[R]) forget(key string, c *call[R]) bool {
	if g.calls[key] != c {
		return false
	}
	delete(g.calls, key)
	return true
}

// patience is how long a caller waits: until its context ends, or, out of impatience, until over.
type patience struct {
	ctx   context.Context
	over  <-chan struct{}
	timer *time.Timer
}

func newPatience(ctx context.Context, limit time.Duration) patience {
	p := patience{ctx: ctx}
	if limit > 0 {
		over := make(chan struct{}) // closed, so that it can be asked more than once
		p.over, p.timer = over, time.AfterFunc(limit, func() { close(over) })
	}
	return p
}

func (p patience) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
