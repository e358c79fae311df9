package warm

import (
	"context"
	"errors"
	"time"
)

// State is where a run stands.
type State string

// The states of a run. Paused is Running while pressure leaves no room.
const (
	Idle      State = "idle" // there was none yet
	Ranking   State = "ranking"
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

func stateOf(err error) State {
	switch {
	case err == nil:
		return Done
	case errors.Is(err, ErrCancelled), errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, errBegun):
		return Cancelled
	}
	return Failed
}

// Over tells whether a run has ended, or there was none.
func (s State) Over() bool { return s != Ranking && s != Running && s != Paused }

// Progress is how far a run is. Times are seconds.
type Progress struct {
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Total   int       `json:"total"`   // items
	Through int       `json:"through"` // of these, so many are through, in one way or the other:
	Loaded  int       `json:"loaded"`
	Present int       `json:"present"` // were there already
	Skipped int       `json:"skipped"` // were brought in before the run was interrupted
	Gone    int       `json:"gone"`    // do not exist any more
	Failed  int       `json:"failed"`
	Rate    float64   `json:"rate"` // loads a second that are allowed now
	Elapsed float64   `json:"elapsed_s"`
	Paused  float64   `json:"paused_s"`
	Left    float64   `json:"left_s"` // as it looks now; 0 when that cannot be said
	Error   string    `json:"error,omitempty"`
}

// Progress is how far the run under way is, or how the last one ended.
func (w *Warmer) Progress() Progress {
	r := w.current.Load()
	if r == nil {
		return Progress{State: Idle}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally
	p := Progress{State: r.state, Reason: r.req.Reason, Started: r.started.UTC(), Total: len(r.keys), Loaded: t.loaded, Present: t.present,
		Skipped: t.skipped, Gone: t.gone, Failed: t.failed, Through: t.loaded + t.present + t.skipped + t.gone + t.failed}
	end := r.ended
	if end.IsZero() {
		end = time.Now()
	}
	p.Elapsed = end.Sub(r.started).Seconds()
	if r.err != nil {
		p.Error = r.err.Error()
	}
	if r.pace != nil {
		rate, paused, pausing := r.pace.state()
		p.Rate, p.Paused = rate, paused.Seconds()
		if pausing && p.State == Running {
			p.State = Paused
		}
	}
	if worked := p.Through - t.skipped; worked > 0 && !p.State.Over() {
		p.Left = p.Elapsed / float64(worked) * float64(p.Total-p.Through)
	}
	return p
}
