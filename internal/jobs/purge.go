package jobs

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	purgeWithin = 10 * time.Second // of one joined purge
	maxTags     = 500              // of one joined purge
)

// purger joins purges: while one is under way the next ones gather and then go out together.
type purger struct {
	purge func(ctx context.Context, tags, positions []string) error

	mu      sync.Mutex
	busy    bool
	waiting []*purgeBatch
}

// purgeBatch is one joined purge; err is valid once done is closed.
type purgeBatch struct {
	tags, positions []string
	done            chan struct{}
	err             error
}

// do purges what became stale at a position of the catalogue's log, "" for one that is not known, and returns when that is done, or ctx
// ends.
func (p *purger) do(ctx context.Context, position string, tags ...string) error {
	b := p.join(position, tags)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *purger) join(position string, tags []string) *purgeBatch {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.waiting)
	if n == 0 || len(p.waiting[n-1].tags)+len(tags) > maxTags {
		p.waiting = append(p.waiting, &purgeBatch{done: make(chan struct{})})
		n++
	}
	b := p.waiting[n-1]
	b.tags, b.positions = append(b.tags, tags...), append(b.positions, position)
	if !p.busy {
		p.busy = true
		go p.run() // ends when nothing waits; each round is bounded by purgeWithin, and waited for by its callers
	}
	return b
}

func (p *purger) run() {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.busy = false
			p.mu.Unlock()
			return
		}
		b := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		slices.Sort(b.tags)
		slices.Sort(b.positions)
		ctx, cancel := context.WithTimeout(context.Background(), purgeWithin)
		b.err = p.purge(ctx, slices.Compact(b.tags), slices.Compact(b.positions))
		cancel()
		close(b.done)
	}
}
