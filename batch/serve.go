package batch

import (
	"runtime"
	"time"
)

// slotTime is for how long a batch has a slot at least.
const slotTime = 25 * time.Millisecond

// serve runs batches of a lane until there was nothing to do for a while.
func (b *Batcher[Req, Res]) serve(l *lane[Req, Res]) {
	for {
		batch, stay := b.next(l)
		if !stay {
			return
		}
		if len(batch) > 0 {
			b.handle(l, batch)
		}
	}
}

// handle runs one batch. If Run ends the goroutine instead of returning, another one takes its place.
func (b *Batcher[Req, Res]) handle(l *lane[Req, Res], batch []*item[Req, Res]) {
	start := time.Now()
	leave := b.place(l, len(batch))
	survived := false
	defer func() {
		b.release(l, batch, time.Since(start), leave)
		if !survived {
			b.workers.Go(func() { b.serve(l) })
		}
	}()
	b.do(l.key, batch)
	survived = true
	runtime.Gosched() // those who were answered may come back, before the next batch is made without them
}

// next returns the next batch; an empty one means to look again, stay = false that this worker has gone.
func (b *Batcher[Req, Res]) next(l *lane[Req, Res]) (batch []*item[Req, Res], stay bool) {
	b.mu.Lock()
	if wait, company := b.linger(l); wait > 0 {
		b.mu.Unlock()
		b.await(l, wait, company)
		b.mu.Lock()
	}
	if l.head != nil {
		if t := b.slots.take(l); t != nil { // before the batch is made: others may still come
			b.mu.Unlock()
			<-t.called
			b.mu.Lock()
		}
		if batch = b.take(l); len(batch) > 0 {
			b.count.Running++
			b.count.Batches++
			b.slots.ran(len(batch))
			b.mu.Unlock()
			return batch, true
		}
		b.slots.leave(l, 0)
	}
	if b.closed {
		b.retire(l)
		b.mu.Unlock()
		return nil, false
	}
	l.idle++
	b.mu.Unlock()
	t := time.NewTimer(b.o.IdleAfter)
	defer t.Stop()
	select {
	case <-l.wake:
		return nil, true
	case <-b.quit:
	case <-t.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-l.wake: // somebody counts on us
		return nil, true
	default:
	}
	l.idle--
	if b.closed && l.head != nil {
		return nil, true
	}
	b.retire(l)
	return nil, false
}

// retire ends a worker; the last one takes the lane with it.
func (b *Batcher[Req, Res]) retire(l *lane[Req, Res]) {
	if l.workers--; l.workers == 0 {
		delete(b.lanes, l.key)
	}
}

// place is the slot of a batch of n requests, which it gives up by calling leave with the mutex held, or by taking far longer than
// batches of its lane do: one key that hangs must not keep the others waiting.
func (b *Batcher[Req, Res]) place(l *lane[Req, Res], n int) (leave func()) {
	if !b.slots.bounded {
		return func() {}
	}
	left := false
	once := func() {
		if !left {
			left = true
			b.slots.leave(l, n)
		}
	}
	b.mu.Lock()
	usual := time.Duration(l.pace.run * float64(time.Second))
	b.mu.Unlock()
	t := time.AfterFunc(max(slotTime, 8*usual), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		once()
	})
	return func() { t.Stop(); once() }
}

// release ends a batch: what had to stay apart from it may run now.
func (b *Batcher[Req, Res]) release(l *lane[Req, Res], batch []*item[Req, Res], took time.Duration, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range batch {
		if it.apart != "" {
			delete(l.busy, it.apart)
		}
	}
	b.count.Running--
	leave()
	l.pace.ran(len(batch)+l.length, took)
}
