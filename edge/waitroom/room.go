package waitroom

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Place is where somebody stands.
type Place struct {
	Room     string
	Position int64 // how many are before this one
	Estimate time.Duration
	Admitted bool
	Hopeless bool      // what is waited for is sold out
	Opens    time.Time // zero when it has
	Again    int       // seconds after which to look again
}

const (
	unknownStock  = -1
	raise, reduce = 1.02, 0.96      // of the rate, a tick: who is let in comes a second later
	recovery      = 1.06            // the same below half of what the platform was seen to sustain: that cannot overrun it
	shortLeast    = 0.75            // of that, or of Options.Rate, is let in at least when what stands before the platform is short
	used          = 0.7             // of the rate has come in: only then may it grow
	coming        = 3 * time.Second // over which it is averaged how many come in
	forgotten     = 5 * time.Minute // after which half is left of what the platform was seen to sustain
)

// When to look again: after this share of the estimate, so that those who are next look every second and those far away seldom.
const (
	pollShare    = 0.75
	pollsASecond = 800 // that all who wait may make together, if no more wait than that takes long
	farLeast     = 15  // seconds between looks of those who are far away
	farMost      = 120
)

// mark is how many had been admitted at a time.
type mark struct {
	at       time.Time
	admitted int64
}

// room is one queue, as one edge sees it.
type room struct {
	Room
	shop  bool // opened by demand, not by the clock
	opts  *Options
	left  atomic.Int64 // unknownStock, or what is left
	queue atomic.Bool  // whether places are needed now

	mu      sync.Mutex
	counts  Counts
	expired int64 // admitted longer than TTL ago
	marks   []mark
	present present
	rate    float64 // admissions a second
	saved   float64 // of them that were not used yet
	came    int     // in since the last step: those let in, or, while nobody queues, new ones who shop
	coming  float64 // that a second, lately
	sustain float64 // the most of it while there was room for more, less the longer ago
	last    time.Time
	pressed time.Duration // for how long demand has exceeded capacity, less for how long it has not since
	calm    time.Duration
}

func newRoom(cfg Room, o *Options, shop bool) *room {
	r := &room{Room: cfg, shop: shop, opts: o, rate: o.Rate}
	r.left.Store(unknownStock)
	return r
}

// decide tells whether the room queues at now; r.mu is held.
func (r *room) decide(now time.Time, dt time.Duration, load Load) bool {
	if !r.shop {
		return !now.Before(r.From) && now.Before(r.Until)
	}
	if load.Exceeds {
		r.pressed, r.calm = min(r.pressed+dt, r.opts.After), 0
	} else {
		r.pressed, r.calm = max(0, r.pressed-dt), r.calm+dt
	}
	if r.queue.Load() {
		return r.counts.Issued > r.counts.Admitted || r.calm < r.opts.Calm
	}
	return r.pressed >= r.opts.After
}

// step moves the queue on.
func (r *room) step(ctx context.Context, now time.Time, load Load) error {
	r.mu.Lock()
	dt := now.Sub(r.last)
	if r.last.IsZero() {
		dt = 0
	}
	r.last = now
	r.count(dt, load)
	was, is := r.queue.Load(), r.decide(now, dt, load)
	if was != is {
		if is && r.shop {
			r.rate = min(max(r.opts.Rate, r.sustain), r.opts.MaxRate)
		}
		r.opts.Log.Info("waiting room", "room", r.Name, "queues", is, "waiting", r.counts.Issued-r.counts.Admitted, "rate", r.rate)
		r.saved = 0
		r.queue.Store(is)
	}
	if !is {
		r.mu.Unlock()
		return nil
	}
	waiting := r.counts.Issued - r.counts.Admitted
	more, cost := int64(0), 0.0
	if r.shop || !now.Before(r.Opens) {
		r.adapt(load, waiting)
		r.saved += r.rate*dt.Seconds() + r.present.settle(now, r.counts.Admitted)
		r.saved = min(r.saved, max(1, r.rate)) // a second's worth at most
		more, cost = r.present.more(now, r.counts, r.saved)
	}
	r.mu.Unlock()
	return r.admit(ctx, now, more, cost)
}

// count follows how many come in, and how many the platform is seen to sustain; r.mu is held.
func (r *room) count(dt time.Duration, load Load) {
	if dt <= 0 {
		return
	}
	r.coming += (float64(r.came)/dt.Seconds() - r.coming) * min(1, dt.Seconds()/coming.Seconds())
	r.came = 0
	r.sustain *= math.Exp2(-dt.Seconds() / forgotten.Seconds())
	if load.Room {
		r.sustain = max(r.sustain, r.coming)
	}
}

// shops counts somebody new who shops while nobody queues.
func (r *room) shops() {
	r.mu.Lock()
	r.came++
	r.mu.Unlock()
}

// adapt changes the rate by how the platform stands; r.mu is held. It does not grow by those who have not come yet: the platform has
// room for as long as they stay away, and is overrun when they all come. What stands before the platform is short by all who look and wait,
// of whom those let in are few: most of what was sustained before, or of what a room begins with, they get in any case.
func (r *room) adapt(load Load, waiting int64) {
	switch {
	case load.Full:
		r.rate = max(r.opts.MinRate, r.rate*reduce)
	case load.Short:
		r.rate = max(r.rate*reduce, min(r.rate, shortLeast*max(r.sustain, r.opts.Rate)), r.opts.MinRate)
	case load.Room && waiting > 0 && r.rate < r.sustain/2:
		r.rate = min(r.opts.MaxRate, r.rate*recovery)
	case load.Room && waiting > 0 && r.coming >= used*r.rate:
		r.rate = min(r.opts.MaxRate, r.rate*raise)
	}
}

// admit lets in so many more, which costs so much of what was saved, and learns how the queue stands.
func (r *room) admit(ctx context.Context, now time.Time, more int64, cost float64) error {
	c, err := r.opts.Store.Admit(ctx, r.Name, more)
	r.mu.Lock()
	defer r.mu.Unlock()
	if c == (Counts{}) && err != nil {
		return err
	}
	if in := c.Admitted - r.counts.Admitted; in > 0 {
		r.saved = max(0, r.saved-min(cost, float64(in)))
	}
	r.counts = Counts{max(c.Issued, r.counts.Issued), max(c.Admitted, r.counts.Admitted)}
	r.remember(now)
	return err
}

// remember notes what was admitted by when, a hundred times in a TTL, and forgets what is older; r.mu is held.
func (r *room) remember(now time.Time) {
	if n := len(r.marks); n == 0 || now.Sub(r.marks[n-1].at) >= r.opts.TTL/100 {
		r.marks = append(r.marks, mark{now, r.counts.Admitted})
	}
	for len(r.marks) > 0 && now.Sub(r.marks[0].at) >= r.opts.TTL {
		r.expired = r.marks[0].admitted
		r.marks = r.marks[1:]
	}
}

// join gives out a place. Where nobody waits and the rate allows it, it is admitted at once.
func (r *room) join(ctx context.Context, now time.Time) (token, error) {
	n, err := r.opts.Store.Next(ctx, r.Name)
	if err != nil {
		return token{}, err
	}
	r.mu.Lock()
	r.counts.Issued = max(r.counts.Issued, n)
	first := n == r.counts.Admitted+1 && r.saved >= 1 && (r.shop || !now.Before(r.Opens))
	r.mu.Unlock()
	if first {
		err = r.admit(ctx, now, 1, 1)
	}
	return token{n, now}, err
}

// place is where a number stands; ok is false when it is no longer good.
func (r *room) place(now time.Time, t token) (p Place, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p = Place{Room: r.Name, Admitted: t.number <= r.counts.Admitted && (r.shop || !now.Before(r.Opens))}
	if p.Admitted {
		if r.present.see(now, t.number, r.counts.Admitted, p) {
			r.came++
		}
		return p, t.number > r.expired
	}
	p.Position = max(0, t.number-r.counts.Admitted-1)
	p.Estimate = time.Duration(float64(p.Position+1) / r.rate * float64(time.Second))
	if now.Before(r.Opens) {
		p.Opens = r.Opens
		p.Estimate += r.Opens.Sub(now)
	}
	p.Hopeless = r.left.Load() == 0
	p.Again = r.again(p.Estimate)
	if ok = t.number <= r.counts.Issued+issuedElsewhere; ok {
		r.present.see(now, t.number, r.counts.Admitted, p)
	}
	return p, ok
}

// seen makes the store know a number that it has lost, by a crash: whoever holds a place holds the proof that it was given.
func (r *room) seen(ctx context.Context, number int64) {
	r.mu.Lock()
	lost := number > r.counts.Issued
	r.counts.Issued = max(r.counts.Issued, number)
	r.mu.Unlock()
	if !lost {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if err := r.opts.Store.Seen(ctx, r.Name, number); err != nil {
		r.opts.Log.Warn("a place is not known", "room", r.Name, "number", number, "error", err)
	}
}

// issuedElsewhere is how far other edges may be ahead of what this one knows. Beyond it a number is from a queue that was
// lost.
const issuedElsewhere = 10_000

// again is when to look again, in seconds; r.mu is held. It goes by how far away somebody's turn is: who is let in has to learn it at
// once, or the platform stands idle until they all come. All who wait together must not ask too often.
func (r *room) again(estimate time.Duration) int {
	waiting := float64(r.counts.Issued - r.counts.Admitted)
	far := min(max(farLeast, waiting/pollsASecond), farMost)
	return int(min(max(1, pollShare*estimate.Seconds()), far))
}
