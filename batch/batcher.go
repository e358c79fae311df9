package batch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Batcher gathers requests by key and runs them together. It is safe for concurrent use.
type Batcher[Req, Res any] struct {
	o     Options[Req, Res]
	base  context.Context // of all runs; ended when Close loses patience
	abort context.CancelFunc
	m     *metrics

	mu     sync.Mutex // guards all below, all lanes and all items: it is held for moments only
	lanes  map[string]*lane[Req, Res]
	slots  slots[Req, Res]
	closed bool
	quit   chan struct{} // closed together with closed = true
	count  Stats

	workers sync.WaitGroup
}

// item is one request on its way.
type item[Req, Res any] struct {
	ctx        context.Context
	req        Req
	since      time.Time
	apart      string
	prev, next *item[Req, Res] // in the queue
	state      state
	out        Result[Res]
	done       chan struct{}
}

type state uint8

const (
	queued state = iota
	running
	abandoned // running, but nobody waits for it
	finished
)

// New makes a Batcher. Close ends it. It panics without a Run: nothing could ever be done.
func New[Req, Res any](o Options[Req, Res]) *Batcher[Req, Res] {
	if o.Run == nil {
		panic("batch: Options.Run is nil")
	}
	o.defaults()
	b := &Batcher[Req, Res]{o: o, lanes: map[string]*lane[Req, Res]{}, quit: make(chan struct{})}
	b.slots = slots[Req, Res]{bounded: o.Slots > 0, size: o.Slots, under: map[string]int{}}
	b.slots.timeout = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.slots.gather != nil {
			b.slots.alone = true
			b.slots.call()
		}
	}
	b.base, b.abort = context.WithCancel(context.Background())
	b.m = newMetrics(o.Registerer, o.Name, o.Log)
	return b
}

// Submit has r done together with others of the same key and returns its own outcome. Besides what Run says of it:
// ErrFull, ErrClosed, ErrUnknown, a *PanicError, or the error of ctx, which is sure not to have been run only when ctx
// ended before Submit was called or while r was queued; see Options.OnOrphan.
func (b *Batcher[Req, Res]) Submit(ctx context.Context, key string, r Req) (Res, error) {
	var none Res
	if err := ctx.Err(); err != nil {
		return none, err
	}
	it := &item[Req, Res]{ctx: ctx, req: r, done: make(chan struct{})}
	if b.o.Apart != nil {
		it.apart = b.o.Apart(r)
	}
	l, err := b.push(key, it)
	if err != nil {
		return none, err
	}
	select {
	case <-it.done:
		return it.out.Value, it.out.Err
	case <-ctx.Done():
	}
	if b.giveUp(l, it) {
		return none, ctx.Err()
	}
	return it.out.Value, it.out.Err
}

// giveUp takes a queued item out, or marks a running one as nobody's; false when its outcome is there already.
func (b *Batcher[Req, Res]) giveUp(l *lane[Req, Res], it *item[Req, Res]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch it.state {
	case queued:
		l.remove(it)
		it.state = finished
		b.count.Withdrawn++
		return true
	case running:
		it.state = abandoned
		return true
	default:
		return false
	}
}

// Close takes no more requests and waits until those that were taken are done. When ctx ends first, running batches
// are cancelled, what is still queued gets ErrClosed, and the error of ctx is returned without waiting for a Run that
// does not heed its context. Closing again waits likewise.
func (b *Batcher[Req, Res]) Close(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.quit)
	}
	b.mu.Unlock()
	drained := make(chan struct{})
	go func() {
		b.workers.Wait()
		close(drained)
	}()
	select {
	case <-drained:
		b.abort()
		return nil
	case <-ctx.Done():
	}
	b.abort()
	b.dropQueued()
	return errors.Join(ErrClosed, ctx.Err())
}

// dropQueued ends what has not been run.
func (b *Batcher[Req, Res]) dropQueued() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		for l.head != nil {
			it := l.head
			l.remove(it)
			it.state, it.out.Err = finished, ErrClosed
			b.count.Withdrawn++
			close(it.done)
		}
	}
}
