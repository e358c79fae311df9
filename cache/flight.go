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
	panicked *panicError
	waiters  int // guarded by group.mu
	cancel   context.CancelFunc
}

// panicError carries a panic from the goroutine of a load to everybody who waits for it.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string {
	return fmt.Sprintf("panic in a load: %v\n\n%s", p.value, p.stack)
}

// do runs work for key, or waits for the call that already does (joined). The context of the work carries the values of the first
// caller's, ends after limit, and is cancelled when the last waiter has gone. What work returns besides its result is
// run after the waiters have been answered. spawn starts a goroutine that the owner waits for, or returns false.
func (g *group[R]) do(ctx context.Context, key string, limit time.Duration, spawn func(func()) bool,
	work func(ctx context.Context) (R, func())) (res R, joined bool, err error) {
	g.mu.Lock()
	c, joined := g.calls[key]
	if !joined {
		wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		c = &call[R]{done: make(chan struct{}), cancel: cancel}
		if !spawn(func() { g.run(wctx, key, c, work) }) {
			g.mu.Unlock()
			cancel()
			return res, false, ErrClosed
		}
		if g.calls == nil {
			g.calls = map[string]*call[R]{}
		}
		g.calls[key] = c
	}
	c.waiters++
	g.mu.Unlock()

	select {
	case <-c.done:
		if c.panicked != nil {
			panic(c.panicked)
		}
		return c.result, joined, nil
	case <-ctx.Done():
		g.leave(key, c)
		return res, joined, context.Cause(ctx)
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
			g.mu.Lock()
			g.forget(key, c)
			g.mu.Unlock()
			close(c.done)
		}()
		c.result, after = work(ctx)
	}()
	if after != nil {
		after()
	}
}

// leave takes one waiter away; without waiters the work is cancelled, and the next caller starts anew.
func (g *group[R]) leave(key string, c *call[R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.waiters--; c.waiters == 0 {
		c.cancel()
		g.forget(key, c)
	}
}

func (g *group[R]) forget(key string, c *call[R]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}
