package warm

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	pausePoll  = 50 * time.Millisecond // between two looks at pressure, about
	growWithin = 10 * time.Second      // from nothing to the full rate
	slowAgain  = time.Second           // the rate is halved for slowness at most this often
	there      = 0.1                   // what an item that was there already costs of one that is loaded
	perSecond  = 8                     // batches, when the rate is low: smaller ones, so that it is even
)

// pace keeps a run within its budget: so many items a second, so many batches under way, none while others need the room.
// The rate goes up slowly while there is room and is halved at the first sign that there is none.
type pace struct {
	max      float64 // items a second; rate never exceeds it
	batch    int
	slow     time.Duration
	maxPause time.Duration
	pressure Pressure
	slots    chan struct{}

	mu     sync.Mutex
	rate   float64
	tokens float64   // items that may be loaded now
	filled time.Time // when tokens were counted
	slowed time.Time
	paused time.Duration // altogether
	since  time.Time     // of the pause under way
}

func newPace(o Options, rate float64) *pace {
	return &pace{max: rate, batch: o.Batch, slow: o.Slow, maxPause: o.MaxPause, pressure: o.Pressure,
		slots: make(chan struct{}, o.slots()), rate: rate / 2, tokens: float64(o.Batch), filled: time.Now()}
}

// enter waits until up to most items may be brought in, and says how many. leave has to follow.
func (p *pace) enter(ctx context.Context, most int) (int, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	for {
		n, wait, err := 0, time.Duration(0), context.Cause(ctx)
		if err == nil {
			n, wait, err = p.look(most)
		}
		if n > 0 {
			return n, nil
		}
		if err == nil {
			err = sleep(ctx, wait)
		}
		if err != nil {
			<-p.slots
			return 0, err
		}
	}
}

// look decides for this moment: n items, or how long to wait.
func (p *pace) look(most int) (n int, wait time.Duration, err error) {
	level := 0.0
	if p.pressure != nil {
		level = p.pressure.Pressure()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if level >= 1 {
		return 0, time.Duration((0.5 + rand.Float64()) * float64(pausePoll)), p.pause(now) // not in step with what comes and goes
	}
	p.goOn(now)
	passed := now.Sub(p.filled).Seconds()
	p.filled = now
	p.tokens = min(float64(p.batch), p.tokens+passed*p.rate)
	p.rate = min(p.max, p.rate+passed*p.max*(1-max(level, 0))/growWithin.Seconds())
	n = min(max(int(p.rate/perSecond), 1), p.batch, most)
	if missing := float64(n) - p.tokens; missing > 0 {
		return 0, max(time.Duration(missing/p.rate*float64(time.Second)), time.Millisecond), nil
	}
	p.tokens -= float64(n)
	return n, 0, nil
}

// pause notes that there is no room; the rate is halved when that begins.
func (p *pace) pause(now time.Time) error {
	if p.since.IsZero() {
		p.since = now
		p.halve()
	}
	p.filled = now
	if now.Sub(p.since) >= p.maxPause {
		return ErrPressure
	}
	return nil
}

func (p *pace) goOn(now time.Time) {
	if !p.since.IsZero() {
		p.paused += now.Sub(p.since)
		p.since = time.Time{}
	}
}

func (p *pace) halve() { p.rate = max(p.rate/2, p.max/64) }

// leave ends what enter began: of n items, loaded were loaded. The others cost little, and what they were counted for is
// given back; not so when the batch failed, and nobody knows what it cost.
func (p *pace) leave(n, loaded int, took time.Duration, failed bool) {
	p.mu.Lock()
	if !failed {
		p.tokens = min(float64(p.batch), p.tokens+(1-there)*float64(n-loaded))
	}
	if now := time.Now(); (failed || took > p.slow) && now.Sub(p.slowed) >= slowAgain {
		p.slowed = now
		p.halve()
	}
	p.mu.Unlock()
	<-p.slots
}

// state is the rate now, how long the run has paused altogether, and whether it does.
func (p *pace) state() (rate float64, paused time.Duration, pausing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	paused = p.paused
	if pausing = !p.since.IsZero(); pausing {
		paused += time.Since(p.since)
	}
	return p.rate, paused, pausing
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
