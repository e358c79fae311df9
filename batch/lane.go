package batch

import "time"

// lane is the queue of one key with the goroutines that serve it.
type lane[Req, Res any] struct {
	key        string
	group      string
	head, tail *item[Req, Res]
	length     int
	workers    int
	idle       int           // workers that wait for wake
	wake       chan struct{} // one token for each worker that was taken off idle
	company    chan struct{} // closed for the one lingering worker when the lane is as long as target; nil: nobody lingers
	target     int
	busy       map[string]struct{} // what is under way, see Options.Apart
	pace       pace
}

// laneOf finds or makes the lane of a key. It stands for as long as it has a worker.
func (b *Batcher[Req, Res]) laneOf(key string) *lane[Req, Res] {
	l := b.lanes[key]
	if l == nil {
		l = &lane[Req, Res]{key: key, group: b.group(key), wake: make(chan struct{}, b.o.Parallel), busy: map[string]struct{}{}}
		b.lanes[key] = l
	}
	return l
}

// push queues an item and sees to it that somebody comes for it.
func (b *Batcher[Req, Res]) push(key string, it *item[Req, Res]) (*lane[Req, Res], error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	l := b.laneOf(key)
	if b.o.MaxQueue > 0 && l.length >= b.o.MaxQueue {
		b.count.Full++
		b.m.refuse()
		return nil, ErrFull
	}
	it.since = now
	it.prev, l.tail = l.tail, it
	if it.prev == nil {
		l.head = it
	} else {
		it.prev.next = it
	}
	l.length++
	b.count.Submitted++
	if b.o.MaxLinger > 0 {
		l.pace.arrived(now, b.o.MaxLinger)
	}
	switch {
	case l.company != nil:
		if l.length >= l.target {
			close(l.company)
			l.company = nil
		}
	case l.idle > 0:
		l.idle--
		l.wake <- struct{}{}
	case l.workers < b.o.Parallel:
		l.workers++
		b.workers.Go(func() { b.serve(l) })
	}
	b.slots.came()
	return l, nil
}

// remove takes an item out of the queue.
func (l *lane[Req, Res]) remove(it *item[Req, Res]) {
	if it.prev == nil {
		l.head = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.tail = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.prev, it.next = nil, nil
	l.length--
}

// take moves up to limit items, the oldest first, from the queue into a batch. Items whose context has ended are
// finished on the way. An item that has to stay apart from one under way, or from one taken before it, is left.
func (b *Batcher[Req, Res]) take(l *lane[Req, Res]) []*item[Req, Res] {
	var batch []*item[Req, Res]
	for it := l.head; it != nil && len(batch) < b.o.MaxSize; {
		next := it.next
		switch {
		case it.ctx.Err() != nil:
			l.remove(it)
			it.state, it.out.Err = finished, it.ctx.Err()
			b.count.Withdrawn++
			close(it.done)
		case it.apart != "" && has(l.busy, it.apart): // it stays where it is
		default:
			l.remove(it)
			it.state = running
			if it.apart != "" {
				l.busy[it.apart] = struct{}{}
			}
			batch = append(batch, it)
		}
		it = next
	}
	return batch
}

func has(set map[string]struct{}, name string) bool {
	_, ok := set[name]
	return ok
}
