package admission

import (
	"context"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOverloaded says that there is no place now, and will be none in time.
var ErrOverloaded = errors.New("admission: overloaded")

const (
	lowestTurn = 16   // every so many places go to the lowest class that waits
	crawlShare = 0.75 // of the places that crawlers may take
	maxBackOff = 10   // seconds that somebody is asked to stay away, at most
)

// Limiter decides who may go on. It is safe for concurrent use and starts nothing in the background.
type Limiter struct {
	opts Options
	m    *metrics
	seed maphash.Seed

	starved starvation

	mu       sync.Mutex
	control  control
	inFlight int
	clients  map[uint64]int // requests of each client, under way or waiting
	queue    queue
	handed   uint // places that went to somebody who waited
	recent   recent
	buyers   recent // of these those who buy: carts and checkouts
	flow     flow
}

// New makes a limiter.
func New(o Options) (*Limiter, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Limiter{opts: o, seed: maphash.MakeSeed(), control: newControl(o), clients: map[uint64]int{}}
	l.starved.slack, l.starved.delay = o.Slack, o.Delay
	if l.m, err = newMetrics(o.Registerer, l); err != nil {
		return nil, err
	}
	return l, nil
}

// Permit is a place. Give it back with Done.
type Permit struct {
	l      *Limiter
	class  Class
	client uint64
	begun  time.Time
	done   atomic.Bool
}

// Result is how a request ended, as far as it says something about load.
type Result int

// Results of requests.
const (
	Served     Result = iota
	Overloaded        // refused or given up for want of capacity
	Ignored           // its latency says nothing: it failed, or the client left
)

// Acquire takes a place for a request of a client, waiting for it as long as its class has patience. The error is
// ErrOverloaded, or the context's when that ended first.
func (l *Limiter) Acquire(ctx context.Context, class Class, client string) (*Permit, error) {
	return l.acquire(ctx, class, client, true)
}

func (l *Limiter) acquire(ctx context.Context, class Class, client string, known bool) (*Permit, error) {
	class = min(max(class, Checkout), Crawl)
	key := maphash.String(l.seed, client)
	now := time.Now()
	l.mu.Lock()
	if l.free(class) && l.queue.total == 0 {
		p := l.take(now, class, key)
		l.mu.Unlock()
		return p, nil
	}
	w := l.enqueue(now, class, key, known)
	l.mu.Unlock()
	if w == nil {
		return nil, ErrOverloaded
	}
	return l.wait(ctx, w)
}

// free tells whether there is a place for a request of a class; l.mu is held.
func (l *Limiter) free(class Class) bool {
	places := l.control.places()
	if class == Crawl {
		places = max(1, int(float64(places)*crawlShare))
	}
	return l.inFlight < places
}

// take counts a request as under way; l.mu is held.
func (l *Limiter) take(now time.Time, class Class, client uint64) *Permit {
	l.inFlight++
	l.clients[client]++
	l.control.highest = max(l.control.highest, l.inFlight)
	l.count(now, class, (*recent).admit)
	l.flow.give(now)
	l.m.admitted[class].Inc()
	return &Permit{l: l, class: class, client: client, begun: now}
}

// enqueue makes a request wait, if need be instead of one with less claim; nil when it is refused. l.mu is held.
func (l *Limiter) enqueue(now time.Time, class Class, client uint64, known bool) *waiter {
	w := &waiter{class: class, level: min(l.clients[client], levels-1), client: client}
	if !known {
		w.level += levels
	}
	if class == Crawl || l.opts.MaxWaiting == 0 || l.vain(now, w) {
		l.shed(now, class)
		return nil
	}
	if l.queue.total >= l.opts.MaxWaiting {
		least := l.queue.last()
		if least.class < class || least.class == class && least.level < w.level {
			l.shed(now, class)
			return nil
		}
		l.leave(least)
		l.shed(now, least.class)
		close(least.decided)
	}
	w.since, w.decided, w.patience = now, make(chan struct{}), l.opts.Patience[class]
	if l.recent.lasting(now) { // a standstill in an overload is not waited for
		w.patience = min(w.patience/2, l.opts.Ahead[class])
	}
	l.clients[client]++
	l.queue.push(w)
	return w
}

// vain tells whether a request's turn is too far away, as places are given out now: the queue is kept as short as it can be served in
// time, and who would have waited in it for nothing learns that at once. Once requests have been refused for a while it is half as long:
// waiting longer helps nobody. l.mu is held.
func (l *Limiter) vain(now time.Time, w *waiter) bool {
	longest := l.opts.Ahead[w.class]
	if l.recent.lasting(now) {
		longest /= 2
	}
	rate, ok := l.flow.rate(now)
	return ok && float64(l.queue.ahead(w.class, w.level)) > rate*longest.Seconds()
}

// leave takes a request out of the queue; l.mu is held.
func (l *Limiter) leave(w *waiter) {
	l.queue.remove(w)
	l.forget(w.client)
}

func (l *Limiter) forget(client uint64) {
	if l.clients[client]--; l.clients[client] <= 0 {
		delete(l.clients, client)
	}
}

// wait ends with a place or with an error.
func (l *Limiter) wait(ctx context.Context, w *waiter) (*Permit, error) {
	begun := time.Now()
	timer := time.NewTimer(w.patience)
	defer timer.Stop()
	err := ErrOverloaded
	select {
	case <-w.decided:
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	now := time.Now()
	l.m.waits.Observe(now.Sub(begun).Seconds())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.admitted: // also when it was about to leave: its place is counted already
		l.m.admitted[w.class].Inc()
		return &Permit{l: l, class: w.class, client: w.client, begun: now}, nil
	case w.queued:
		l.leave(w)
		l.shed(now, w.class)
	}
	return nil, err
}

// shed counts a refusal; l.mu is held. That a crawler is sent away is no sign of need.
func (l *Limiter) shed(now time.Time, class Class) {
	if class != Crawl {
		l.count(now, class, (*recent).refuse)
	}
	l.m.shed[class].Inc()
}

// count notes what became of a request; l.mu is held.
func (l *Limiter) count(now time.Time, class Class, outcome func(*recent, time.Time)) {
	outcome(&l.recent, now)
	if class <= Cart {
		outcome(&l.buyers, now)
	}
}

// Done gives the place back. Only the first call counts.
func (p *Permit) Done(r Result) { p.end(r, 0) }

// end gives the place back; took is what the service says that it took, 0 when it does not.
func (p *Permit) end(r Result, took time.Duration) {
	if p.done.Swap(true) {
		return
	}
	l, now := p.l, time.Now()
	if passed := now.Sub(p.begun); took <= 0 || took > passed {
		took = passed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.forget(p.client)
	if r != Ignored && l.control.sample(now, p.class, took, r == Overloaded) {
		l.control.highest = l.inFlight
	}
	l.hand(now)
}

// hand gives free places to those who wait; l.mu is held.
func (l *Limiter) hand(now time.Time) {
	for l.queue.total > 0 && l.inFlight < l.control.places() {
		l.handed++
		_, known := l.flow.rate(now)
		w := l.queue.first(now, !known && l.recent.refusedShare(now) > 0, l.handed%lowestTurn == 0)
		l.queue.remove(w)
		l.inFlight++ // the client is counted since it waits
		l.control.highest = max(l.control.highest, l.inFlight)
		l.count(now, w.class, (*recent).admit)
		l.flow.give(now)
		w.admitted = true
		close(w.decided)
	}
}

// Bound changes between what the limit moves.
func (l *Limiter) Bound(least, most int) {
	least = max(1, least)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control.bound(least, max(least, most))
	l.hand(time.Now())
}

// RetryAfter is how long somebody who is refused now should stay away, in seconds: the longer the more are refused, and
// not the same for all, so that they do not come back at once.
func (l *Limiter) RetryAfter() int {
	l.mu.Lock()
	share := l.recent.refusedShare(time.Now())
	l.mu.Unlock()
	longest := 1 + int(share*share*maxBackOff)
	return 1 + rand.IntN(min(longest, maxBackOff))
}
