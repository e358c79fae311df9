package admission

import "time"

// recent counts what happened in about the last second: the slice under way, and the one before.
type recent struct {
	begun    time.Time
	admitted [2]int
	refused  [2]int
}

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
		*r = recent{begun: now}
	}
}

func (r *recent) admit(now time.Time) {
	r.turn(now)
	r.admitted[0]++
}

func (r *recent) refuse(now time.Time) {
	r.turn(now)
	r.refused[0]++
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
	// Usual is what a request of each class takes without a rush, in milliseconds; 0: not known yet.
	Usual map[string]float64 `json:"usual_ms"`
}

// Stats tells how the limiter stands.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Limit: l.control.places(), InFlight: l.inFlight, Waiting: map[string]int{}, Usual: map[string]float64{},
		Refused: l.recent.refusedShare(time.Now())}
	for c := range classes {
		s.Waiting[c.String()] = l.queue.size[c]
		s.Usual[c.String()] = l.control.usual[c].latency * 1e3
	}
	return s
}
