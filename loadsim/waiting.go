package loadsim

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// queuePlace is a place in the shop's waiting room: what GET /queue answers, and what any answer may be instead of what was
// asked for.
type queuePlace struct {
	estimate time.Duration
	admitted bool
	hopeless bool
}

// parsePlace reads a place: an object that says position and admitted; nil when it is something else.
func parsePlace(body []byte) *queuePlace {
	if !hasJSON(body) {
		return nil
	}
	var p struct {
		Position *int64  `json:"position"`
		Estimate float64 `json:"estimate_s"`
		Admitted *bool   `json:"admitted"`
		Hopeless bool    `json:"hopeless"`
	}
	if json.Unmarshal(body, &p) != nil || p.Admitted == nil || p.Position == nil && !*p.Admitted {
		return nil
	}
	return &queuePlace{time.Duration(p.Estimate * float64(time.Second)), *p.Admitted, p.Hopeless}
}

// How often somebody in the waiting room looks at their place.
const (
	pollMin = 500 * time.Millisecond
	pollMax = 5 * time.Second
)

// queueUp waits in the waiting room until the shopper is let in; false when they leave, or time is up.
func (s *shopper) queueUp(ctx context.Context, place *queuePlace, comeBack time.Duration) bool {
	since := time.Now()
	for !place.admitted {
		if place.hopeless {
			s.abandon(leftHopeless)
			return false
		}
		wait := comeBack
		if wait <= 0 {
			wait = min(max(place.estimate/4, pollMin), pollMax)
		}
		s.pause(ctx, wait+time.Duration(s.rng.Int64N(int64(wait)/10+1)))
		if s.over(ctx) {
			return false
		}
		if place, comeBack = s.poll(ctx); place == nil {
			return !s.over(ctx) // no such page, or a bad answer: ask for what was wanted again
		}
	}
	s.tally.admit(time.Since(since))
	return true
}

// poll asks for the place once; nil when the answer is none.
func (s *shopper) poll(ctx context.Context) (*queuePlace, time.Duration) {
	o := s.once(ctx, time.Now(), stepQueue, &call{method: http.MethodGet, path: "/queue"}, func(res *response) verdict {
		if place := parsePlace(res.body); place != nil {
			return verdict{place: place}
		}
		return verdict{fail: wrongStatus(res.status, res.body)}
	})
	return o.place, o.comeBack
}
