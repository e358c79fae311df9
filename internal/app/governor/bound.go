package governor

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// BoundPath is where a process takes a [BoundRequest].
const BoundPath = "/internal/governor"

const (
	maxBound   = 100_000
	boundLease = 30 * time.Second // after which a bound that nobody renews goes back by itself
)

// BoundRequest moves a knob's upper bound for a while: at most boundLease.
type BoundRequest struct {
	Knob string  `json:"knob"`
	High float64 `json:"high"`
	Why  string  `json:"why"`
}

// lease is a bound that advice moved; the zero value is none.
type lease struct {
	usual float64 // what it goes back to
	until time.Time
}

// bound moves a knob's upper bound until then: what it is without pressure. A bound that is what it usually is ends the lease.
func (g *Governor) bound(r BoundRequest, now, until time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range g.knobs {
		if k.Name != r.Knob {
			continue
		}
		if !(r.High >= k.Low && r.High <= maxBound) {
			return fmt.Errorf("%s: %v is not allowed: %v to %v", r.Knob, r.High, k.Low, maxBound)
		}
		if k.lease.until.IsZero() {
			k.lease.usual = k.High
		}
		k.lease.until = until
		g.moveBound(k, r.High, r.Why, now)
		if k.High == k.lease.usual {
			k.lease = lease{}
		}
		return nil
	}
	return fmt.Errorf("there is no knob %q here", r.Knob)
}

// moveBound turns the knob along with its bound; one that pressure has turned down stays where it is, if it may. The lock is held.
func (g *Governor) moveBound(k *Knob, high float64, why string, now time.Time) {
	if high == k.High {
		return
	}
	to := min(k.Now, high)
	if k.Now == k.High {
		to = high
	}
	k.High = high
	if to == k.Now {
		return
	}
	g.note(k, to, why, now)
}

// expire takes back bounds that nobody has renewed; the lock is held.
func (g *Governor) expire(now time.Time) {
	for _, k := range g.knobs {
		if !k.lease.until.IsZero() && now.After(k.lease.until) {
			usual := k.lease.usual
			k.lease = lease{}
			g.moveBound(k, usual, "nobody renewed the bound that advice had moved", now)
		}
	}
}

// Knobs that advice may move.
const (
	Slots     = "checkout_slots"
	Admission = "admission_max"
)

// Route lets `up` move bounds.
func (g *Governor) Route(mux *http.ServeMux) {
	mux.HandleFunc("POST "+BoundPath, opshttp.HereOnly(func(w http.ResponseWriter, r *http.Request) {
		var req BoundRequest
		err := opshttp.Decode(http.MaxBytesReader(w, r.Body, 1<<16), &req)
		if err == nil {
			now := time.Now()
			err = g.bound(req, now, now.Add(boundLease))
		}
		if err != nil {
			g.log.Warn("a bound stays as it is", "knob", req.Knob, "error", err)
			opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
			return
		}
		opshttp.WriteJSON(w, http.StatusOK, g.Stats())
	}))
}
