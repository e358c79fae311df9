package loadsim

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/schedule"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func (r *run) arrivals() *schedule.Arrivals {
	return r.curve.Arrivals(schedule.Options{
		Poisson: r.plan.Load.Arrivals == scenario.Poisson, Seed: r.opts.Seed, Part: r.opts.Part, Parts: r.opts.Parts,
	})
}

// offer calls send for each arrival when it is due, and returns when the last one has been offered.
func (r *run) offer(ctx context.Context, arrivals *schedule.Arrivals, count *counters, send func(clock *metronome, due time.Time) bool) {
	clock := &metronome{}
	if !r.opts.timers {
		clock = newMetronome()
	}
	defer clock.stop()
	for {
		at, ok := arrivals.Next()
		if !ok {
			return
		}
		due := r.started.Add(at)
		count.due.Add(1)
		if ctx.Err() == nil {
			clock.wait(ctx, due)
		}
		if ctx.Err() != nil || time.Now().After(r.until) || !send(clock, due) {
			count.unsent.Add(1)
			if ctx.Err() != nil {
				return
			}
		}
	}
}

type counters struct{ due, unsent, crowded atomic.Int64 }

func (c *counters) figures() offered {
	return offered{c.due.Load(), c.unsent.Load(), c.crowded.Load()}
}

// requests is an open model in which each arrival is one request: of a shopper who has nothing else to do, or else of a new
// one. Shoppers who wait for answers hold nobody up.
type requests struct {
	*run
	counters
	arrivals *schedule.Arrivals
	idle     chan time.Time // shoppers wait here for their next request's time
	closed   atomic.Bool
}

func (q *requests) next(ctx context.Context, s *shopper) (time.Time, bool) {
	select {
	case due, ok := <-q.idle:
		if ok {
			s.tally.late(time.Since(due))
		}
		return due, ok
	case <-ctx.Done():
		return time.Time{}, false
	}
}

func (q *requests) over(*shopper) bool { return q.closed.Load() }
func (q *requests) scheduled() bool    { return true }
func (q *requests) open() bool         { return true }

func (q *requests) drive(ctx context.Context) {
	q.until = q.until.Add(q.opts.Timeout) // what is late is sent late; retries, too
	made := 0
	q.offer(ctx, q.arrivals, &q.counters, func(clock *metronome, due time.Time) bool {
		if q.hand(due) {
			return true
		}
		if q.breathe(ctx, clock, due); q.hand(due) {
			return true
		}
		if made < q.opts.MaxUsers {
			s := newShopper(q.run, made*q.opts.Parts+q.opts.Part)
			s.due = due
			made++
			q.start(ctx, s, (*shopper).walk)
			return true
		}
		q.crowded.Add(1)
		select {
		case q.idle <- due:
			return true
		case <-ctx.Done():
			return false
		}
	})
	q.closed.Store(true)
	close(q.idle)
}

// breathe lets those who have their answer say so, before somebody new is made. Who is late is short of CPU: then answers
// may have come that nobody has read yet, and more shoppers would only make it later.
func (q *requests) breathe(ctx context.Context, clock *metronome, due time.Time) {
	if time.Since(due) > 2*time.Millisecond {
		clock.wait(ctx, time.Now().Add(100*time.Microsecond))
		return
	}
	runtime.Gosched()
}

// hand gives a request to somebody who has nothing to do.
func (q *requests) hand(due time.Time) bool {
	select {
	case q.idle <- due:
		return true
	default:
		return false
	}
}

// sessions is an open model in which each arrival is somebody who comes for one session, and thinks between requests.
type sessions struct {
	*run
	counters
	arrivals *schedule.Arrivals
}

func (e *sessions) next(ctx context.Context, s *shopper) (time.Time, bool) { return think(ctx, s) }
func (e *sessions) over(*shopper) bool                                     { return false }
func (e *sessions) open() bool                                             { return true }
func (e *sessions) scheduled() bool                                        { return false }

func (e *sessions) drive(ctx context.Context) {
	n := 0
	e.offer(ctx, e.arrivals, &e.counters, func(_ *metronome, due time.Time) bool {
		if e.atWork.Load() >= int64(e.opts.MaxUsers) {
			e.crowded.Add(1)
			return false // people who find the door blocked go home
		}
		s := newShopper(e.run, n*e.opts.Parts+e.opts.Part)
		s.due = due
		n++
		e.start(ctx, s, func(s *shopper, ctx context.Context) {
			s.session(ctx)
			s.client.leave()
		})
		return true
	})
}
