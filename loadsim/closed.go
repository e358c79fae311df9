package loadsim

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func newPacer(r *run) pacer {
	switch {
	case r.plan.Load.Model == scenario.Closed:
		return &closed{run: r}
	case r.plan.Load.Per == scenario.PerSession:
		return &sessions{run: r, arrivals: r.arrivals()}
	default:
		return &requests{run: r, arrivals: r.arrivals(), idle: make(chan time.Time)}
	}
}

// closed is a number of shoppers at once, each of whom thinks, asks, and waits for the answer.
type closed struct {
	*run
	level   atomic.Int64 // shoppers with a lower number than this stay
	working []atomic.Bool
	left    atomic.Bool // somebody has left since the last look
}

func (c *closed) next(ctx context.Context, s *shopper) (time.Time, bool) {
	return think(ctx, s)
}

// think pauses before a request as the scenario says.
func think(ctx context.Context, s *shopper) (time.Time, bool) {
	if span := s.plan.Think; !span.IsZero() {
		due := time.Now().Add(s.between(span))
		s.pause(ctx, time.Until(due))
		if late := time.Since(due); late >= 0 {
			s.tally.late(late)
		}
	}
	return time.Now(), !s.over(ctx)
}

func (c *closed) over(s *shopper) bool { return c.level.Load() <= int64(s.id) }
func (c *closed) scheduled() bool      { return false }
func (c *closed) open() bool           { return false }
func (c *closed) figures() offered     { return offered{} }

// changeEvery is how often the number of shoppers follows the curve.
const changeEvery = 10 * time.Millisecond

// drive keeps as many shoppers at work as the curve says. The first ones are spread over a second, so that they do not all
// come through the door in one instant.
func (c *closed) drive(ctx context.Context) {
	whole := int(math.Round(c.curve.Peak()))
	c.working = make([]atomic.Bool, share(whole, c.opts.Part, c.opts.Parts))
	spread := min(time.Second, c.curve.Length()/10)
	every := time.NewTicker(changeEvery)
	defer every.Stop()
	for {
		elapsed := time.Since(c.started)
		if elapsed >= c.curve.Length() || ctx.Err() != nil || c.had() {
			return
		}
		level := c.curve.At(elapsed)
		if elapsed < spread {
			level = max(1, level*float64(elapsed)/float64(spread))
		}
		c.follow(ctx, share(int(math.Round(level)), c.opts.Part, c.opts.Parts))
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
}

// follow lets in who is missing; those who are too many leave by themselves.
func (c *closed) follow(ctx context.Context, level int) {
	level = min(level, len(c.working))
	if before := c.level.Swap(int64(level)); before == int64(level) && !c.left.Swap(false) {
		return
	}
	for id := range level {
		if c.working[id].CompareAndSwap(false, true) {
			c.start(ctx, newShopper(c.run, id*c.opts.Parts+c.opts.Part), func(s *shopper, ctx context.Context) {
				s.id = id
				s.walk(ctx)
				c.working[id].Store(false)
				c.left.Store(true)
			})
		}
	}
}

// share is a part of n: all parts add up to it, and differ by one at most.
func share(n, part, parts int) int { return (n + parts - 1 - part) / parts }

// watchLag measures how late this process wakes up: what the machine keeps from the generator goes into every response time.
func (r *run) watchLag(stop <-chan struct{}) {
	const every = 10 * time.Millisecond
	timer := time.NewTimer(every)
	defer timer.Stop()
	for due := time.Now().Add(every); ; {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		r.rec.tallies[0].late(max(0, time.Since(due)))
		due = time.Now().Add(every)
		timer.Reset(every)
	}
}
