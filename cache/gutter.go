package cache

import (
	"context"
	"sync/atomic"
)

// gutter bounds how many loads run at a time while Redis does not help (the word is from Meta's memcache, where a few
// machines take over for dead ones).
type gutter struct {
	turns   chan struct{} // nil: no bound
	waiting atomic.Int64
}

// gutterQueue is how many may wait for each that runs.
const gutterQueue = 100

func (g *gutter) limit(n int) {
	if n > 0 {
		g.turns = make(chan struct{}, n)
	}
}

// enter waits for a turn; leave gives it back.
func (g *gutter) enter(ctx context.Context) (leave func(), err error) {
	if g.turns == nil {
		return func() {}, nil
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > int64(gutterQueue*cap(g.turns)) {
		return nil, ErrOverloaded
	}
	select {
	case g.turns <- struct{}{}:
		return func() { <-g.turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
