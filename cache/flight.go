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
	spare []*call[R] // ended, and never joined; guarded by mu
}

// maxSpare is how many calls are kept for use again.
const maxSpare = 64

// call is the wish for one key.
type call[R any] struct {
	done     chan struct{} // made, under group.mu, when somebody is going to wait; from then on it stays
	result   R
	err      error
	panicked *panicError
	job      *job
	own      job  // of a call that is no part of a larger job
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

// join makes the caller wait for the call for key, or registers one that is the caller's to do (mine): by first, and if that says no
// by fly.
func (g *group[R]) join(key string) (c *call[R], mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, there := g.calls[key]
	if there {
		c.awaited()
	} else {
		c = g.add(key, nil)
	}
	c.waiters++
	return c, !there
}

// first tries to finish a call of one's own without a goroutine. quick must be quick.
func (g *group[R]) first(key string, c *call[R], quick func() (R, bool)) (r R, done bool) {
	defer func() {
		if v := recover(); v != nil {
			broken := &panicError{v, debug.Stack()}
			g.settle(key, c, r, broken)
			panic(broken)
		}
	}()
	if r, done = quick(); done {
		g.settle(key, c, r, nil)
	}
	return r, done
}

// fly runs work for a call of one's own in a goroutine, which spawn starts and its owner waits for. The context of the work carries the
// values of the caller's, ends after its limit, and is cancelled when the last waiter has gone, unless one of them left out of
// impatience: then it goes on.
func (g *group[R]) fly(ctx context.Context, key string, c *call[R], limit time.Duration, spawn func(func()) bool, work work[R]) {
	g.begin(ctx, c.job, map[string]*call[R]{key: c}, limit, spawn, work)
}

// await is the result of a call that the caller has joined or begun.
func (g *group[R]) await(ctx context.Context, key string, c *call[R], patience time.Duration) (res R, err error) {
	p := newPatience(ctx, patience)
	defer p.stop()
	if err := g.wait(key, c, p); err != nil {
		return res, err
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.result, c.err
}

// add registers a call, of a job or of one of its own. The caller holds mu.
func (g *group[R]) add(key string, j *job) *call[R] {
	var c *call[R]
	if n := len(g.spare); n > 0 {
		c, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		c = &call[R]{}
	}
	if c.job = j; j == nil {
		c.job = &c.own
	}
	if g.calls == nil {
		g.calls = map[string]*call[R]{}
	}
	g.calls[key] = c
	c.job.wanted++
	return c
}

// awaited notes that somebody will wait. The caller holds mu.
func (c *call[R]) awaited() {
	if c.done == nil {
		c.done = make(chan struct{})
	}
}

// settle ends a call that needed no work. One that nobody has joined is used again.
func (g *group[R]) settle(key string, c *call[R], r R, broken *panicError) {
	g.mu.Lock()
	if c.done != nil {
		g.mu.Unlock()
		c.result, c.panicked = r, broken
		g.finish(key, c)
		return
	}
	defer g.mu.Unlock()
	g.forget(key, c)
	if len(g.spare) < maxSpare {
		*c = call[R]{}
		g.spare = append(g.spare, c)
	}
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
	for _, c := range calls {
		c.awaited()
	}
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
