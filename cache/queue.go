package cache

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// queue runs background work in order of arrival, key by key, a few keys at a time. It is bounded.
type queue struct {
	lanes   [queueLanes]chan func()
	seed    maphash.Seed
	dropped atomic.Uint64

	mu     sync.RWMutex // held for reading while something is put in
	closed bool
	work   sync.WaitGroup
}

const queueLanes = 4

func newQueue(bound int) *queue {
	q := &queue{seed: maphash.MakeSeed()}
	for i := range q.lanes {
		lane := make(chan func(), max(bound/queueLanes, 1))
		q.lanes[i] = lane
		q.work.Go(func() {
			for fn := range lane {
				fn()
			}
		})
	}
	return q
}

// add queues fn behind what was queued for the same key.
func (q *queue) add(key string, fn func()) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return ErrClosed
	}
	select {
	case q.lanes[maphash.String(q.seed, key)%queueLanes] <- fn:
		return nil
	default:
		q.dropped.Add(1)
		return ErrQueueFull
	}
}

func (q *queue) length() (n int) {
	for _, lane := range q.lanes {
		n += len(lane)
	}
	return n
}

// flush waits until everything that was queued before has been done.
func (q *queue) flush(ctx context.Context) error {
	done := make(chan struct{}, queueLanes)
	for _, lane := range q.lanes {
		q.mu.RLock()
		if q.closed {
			q.mu.RUnlock()
			return ErrClosed
		}
		select {
		case lane <- func() { done <- struct{}{} }:
			q.mu.RUnlock()
		case <-ctx.Done():
			q.mu.RUnlock()
			return context.Cause(ctx)
		}
	}
	for range q.lanes {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// close does what is queued and stops.
func (q *queue) close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		for _, lane := range q.lanes {
			close(lane)
		}
	}
	q.mu.Unlock()
	q.work.Wait()
}
