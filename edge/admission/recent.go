package admission

import (
	"math"
	"time"
)

// recent counts what happened in about the last second: the slice under way, and the one before.
type recent struct {
	begun    time.Time
	admitted [2]int
	refused  [2]int

	since, last time.Time // the first and the last refusal of a series
}

// lastingAfter is how long refusals have to go on, without as long a break, to show that they are no moment's need.
const lastingAfter = time.Second

const slice = 500 * time.Millisecond

// turn moves on to the slice in which now lies.
func (r *recent) turn(now time.Time) {
	switch age := now.Sub(r.begun); {
	case age < slice:
	case age < 2*slice:
		r.begun = r.begun.Add(slice)
		r.admitted[1], r.refused[1] = r.admitted[0], r.refused[0]
		r.admitted[0], r.refused[0] = 0, 0
	default:
		*r = recent{begun: now, since: r.since, last: r.last}
	}
}

func (r *recent) admit(now time.Time) {
	r.turn(now)
	r.admitted[0]++
}

func (r *recent) refuse(now time.Time) {
	r.turn(now)
	r.refused[0]++
	if now.Sub(r.last) > lastingAfter {
		r.since = now
	}
	r.last = now
}

// lasting tells whether requests have been refused for a while: then waiting longer helps nobody.
func (r *recent) lasting(now time.Time) bool {
	return now.Sub(r.last) <= lastingAfter && r.last.Sub(r.since) >= lastingAfter
}

// refusedShare is the share of requests that were refused.
func (r *recent) refusedShare(now time.Time) float64 {
	r.turn(now)
	refused := r.refused[0] + r.refused[1]
	if all := refused + r.admitted[0] + r.admitted[1]; all > 0 {
		return float64(refused) / float64(all)
	}
	return 0
}

// Stats is how a [Limiter] stands.
type Stats struct {
	Limit    int            `json:"limit"`
	InFlight int            `json:"in_flight"`
	Waiting  map[string]int `json:"waiting"`
	// Refused is the share of the requests of the last second that were refused, crawlers left out.
	Refused float64 `json:"refused"`
	// RefusedBuyers is the same of carts and checkouts alone, without newcomers whom [Limiter.Guard] refused: they were not let in yet.
	RefusedBuyers float64 `json:"refused_buyers"`
	// Usual is what a request of each class takes without a rush, in milliseconds; 0: not known yet.
	Usual map[string]float64 `json:"usual_ms"`
	// Delay is how long work of this process waited for a processor, in milliseconds, when that was last looked at, and Need how much is
	// refused for it: 0 nothing, at 1 all pages that newcomers ask for, at 2 their carts as well, at 3 the pages of the others.
	Delay float64 `json:"delay_ms"`
	Need  float64 `json:"need"`
}

// Stats tells how the limiter stands.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Limit: l.control.places(), InFlight: l.inFlight, Waiting: map[string]int{}, Usual: map[string]float64{},
		Refused: l.recent.refusedShare(time.Now()), RefusedBuyers: l.buyers.refusedShare(time.Now()), Delay: time.Duration(l.starved.last.Load()).Seconds() * 1e3, Need: math.Float64frombits(l.starved.need.Load())}
	for c := range classes {
		s.Waiting[c.String()] = l.queue.size[c]
		s.Usual[c.String()] = l.control.usual[c].latency * 1e3
	}
	return s
}
