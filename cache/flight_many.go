package cache

import (
	"cmp"
	"context"
	"errors"
)

// sharedResult is what became of one key that was wanted together with others. Without joined, the work was begun for this caller.
type sharedResult[R any] struct {
	result R
	joined bool
}

// many is join, fly and await for several keys: those that nobody is at become one job, for the others it waits with whoever wants them. The
// error is the first of any; then the rest is not waited for, and what was answered until then is returned with it.
func (g *group[R]) many(ctx context.Context, keys []string, limit waits, spawn func(func()) bool,
	work func(mine []string) work[R]) (map[string]sharedResult[R], error) {
	calls, mine := g.claim(keys)
	if len(mine) > 0 {
		own := make(map[string]*call[R], len(mine))
		for _, key := range mine {
			own[key] = calls[key].call
		}
		g.begin(ctx, own[mine[0]].job, own, limit.work, spawn, work(mine))
	}
	p := newPatience(ctx, limit.caller)
	defer p.stop()
	out := make(map[string]sharedResult[R], len(calls))
	var panicked *panicError
	var failed error
	for key, c := range calls {
		if failed != nil || panicked != nil {
			select {
			case <-c.call.done:
			default:
				g.leave(key, c.call, errors.Is(failed, ErrTimeout))
				continue
			}
		} else if failed = g.wait(key, c.call, p); failed != nil {
			continue
		}
		if c.call.panicked != nil {
			panicked = c.call.panicked
			continue
		}
		out[key] = sharedResult[R]{c.call.result, c.joined}
		failed = cmp.Or(failed, c.call.err)
	}
	if panicked != nil {
		panic(panicked)
	}
	return out, failed
}

type claimed[R any] struct {
	call   *call[R]
	joined bool
}

// claim registers a call for each key that nobody is at (mine), all of one job, and joins the others.
func (g *group[R]) claim(keys []string) (calls map[string]claimed[R], mine []string) {
	calls = make(map[string]claimed[R], len(keys))
	j := &job{}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys {
		if _, twice := calls[key]; twice {
			continue
		}
		c, joined := g.calls[key]
		if !joined {
			c = g.add(key, j)
			mine = append(mine, key)
		}
		c.awaited()
		c.waiters++
		calls[key] = claimed[R]{c, joined}
	}
	return calls, mine
}
