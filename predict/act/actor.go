package act

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// ErrSetting means that a setting cannot be one; the error names it.
var ErrSetting = errors.New("act: bad setting")

// Setting is something that may be turned.
type Setting struct {
	Name    string   `json:"name"`
	Against []string `json:"against"` // kinds of causes that it helps against
	Base    float64  `json:"base"`    // what it is when nothing is wrong
	Bound   float64  `json:"bound"`   // as far as it may be moved, above or below Base; of a deed, how much of it
	Deed    bool     `json:"deed,omitempty"`
}

// Cause is a reason to do something.
type Cause struct {
	Kind       string
	Resource   string
	Title      string
	Evidence   []string
	Confidence float64 // 0 to 1
}

// Turn is what is to be done.
type Turn struct {
	At       time.Time `json:"at"`
	Setting  string    `json:"setting"`
	From     float64   `json:"from"`
	To       float64   `json:"to"`
	Undo     bool      `json:"undo,omitempty"` // it goes back to its base
	Resource string    `json:"resource,omitempty"`
	Reason   string    `json:"reason"`
	Evidence []string  `json:"evidence,omitempty"`
	Error    string    `json:"error,omitempty"` // why it was not done
}

// Options of an [Actor]; the zero value works, and turns nothing.
type Options struct {
	Settings   []Setting
	Cooldown   time.Duration // between two turns of a setting; default 1 min
	Hold       time.Duration // how long a cause has to be gone before its turn is taken back; default 5 min
	Confirm    int           // in how many steps in a row a cause has to show; default 5
	Confidence float64       // that a cause has to have; default 0.7
	Factor     float64       // of one turn, or its inverse; above 1, default 1.5
}

func (o Options) withDefaults() Options {
	o.Cooldown, o.Hold = cmp.Or(o.Cooldown, time.Minute), cmp.Or(o.Hold, 5*time.Minute)
	o.Confirm, o.Confidence, o.Factor = cmp.Or(o.Confirm, 5), cmp.Or(o.Confidence, 0.7), cmp.Or(o.Factor, 1.5)
	return o
}

const (
	longestHold = 16  // times Options.Hold
	soonAgain   = 4   // times the hold: a cause that comes back within it was not gone
	keptTurns   = 100 // that Status shows
)

// state is how a setting stands.
type state struct {
	Setting
	now     float64
	shown   int // steps in a row in which a cause showed
	because Cause
	gone    time.Time // since when there is none; zero while there is one
	last    time.Time // when it was turned
	undone  time.Time
	hold    time.Duration
}

// Actor decides. It is not safe for concurrent use.
type Actor struct {
	o      Options
	off    bool
	states []*state
	turns  []Turn
}

// New makes an actor that has turned nothing.
func New(o Options) (*Actor, error) {
	a := &Actor{o: o.withDefaults()}
	if !(a.o.Factor > 1) || a.o.Cooldown < 0 || a.o.Hold < 0 {
		return nil, fmt.Errorf("%w: Factor %v, Cooldown %v, Hold %v: above 1, and not negative", ErrSetting, a.o.Factor, a.o.Cooldown, a.o.Hold)
	}
	for _, s := range o.Settings {
		if s.Name == "" || len(s.Against) == 0 || !finite(s.Base) || !finite(s.Bound) || s.Base < 0 || s.Bound < 0 || !s.Deed && s.Base == s.Bound {
			return nil, fmt.Errorf("%w: %+v: it needs a name, what it is against, and a base and another bound that are not negative", ErrSetting, s)
		}
		if slices.ContainsFunc(a.states, func(x *state) bool { return x.Name == s.Name }) {
			return nil, fmt.Errorf("%w: %s is there twice", ErrSetting, s.Name)
		}
		a.states = append(a.states, &state{Setting: s, now: s.Base, hold: a.o.Hold})
	}
	return a, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Step takes in what is wrong now, the worst first, and says what to turn. O(settings × causes).
func (a *Actor) Step(now time.Time, causes []Cause) (todo []Turn) {
	if a.off {
		return nil
	}
	for _, s := range a.states {
		i := slices.IndexFunc(causes, func(c Cause) bool { return c.Confidence >= a.o.Confidence && slices.Contains(s.Against, c.Kind) })
		var t Turn
		var turned bool
		if i >= 0 {
			t, turned = s.against(now, causes[i], a.o)
		} else {
			t, turned = s.calm(now, a.o)
		}
		if turned {
			todo = append(todo, a.turn(s, t))
		}
	}
	return todo
}

// against moves the setting because of a cause, if it is time.
func (s *state) against(now time.Time, c Cause, o Options) (t Turn, ok bool) {
	s.shown, s.gone, s.because = min(s.shown+1, o.Confirm), time.Time{}, c
	to := s.next(o.Factor)
	if s.shown < o.Confirm || to == s.now && !s.Deed || !s.last.IsZero() && now.Sub(s.last) < o.Cooldown {
		return t, false
	}
	if s.now == s.Base && !s.undone.IsZero() {
		if now.Sub(s.undone) < soonAgain*s.hold {
			s.hold = min(2*s.hold, longestHold*o.Hold)
		} else {
			s.hold = o.Hold
		}
	}
	return Turn{At: now, To: to, Resource: c.Resource, Reason: c.Title, Evidence: c.Evidence}, true
}

// calm takes the setting back when its cause has been gone for long enough.
func (s *state) calm(now time.Time, o Options) (t Turn, ok bool) {
	s.shown = 0
	if s.gone.IsZero() {
		s.gone = now
	}
	if s.now == s.Base || now.Sub(s.gone) < s.hold || now.Sub(s.last) < o.Cooldown {
		return t, false
	}
	return Turn{At: now, To: s.Base, Undo: true, Resource: s.because.Resource, Reason: fmt.Sprintf("%s has not shown for %s", s.because.Resource, now.Sub(s.gone).Round(time.Second))}, true
}

// next is one turn farther towards the bound, in whole numbers where both ends are.
func (s *state) next(factor float64) float64 {
	if s.Deed {
		return s.Bound
	}
	whole := s.Base == math.Trunc(s.Base) && s.Bound == math.Trunc(s.Bound)
	if s.Bound > s.Base {
		to := max(s.now, 1) * factor
		if whole {
			to = math.Ceil(to)
		}
		return min(to, s.Bound)
	}
	to := s.now / factor
	if whole {
		to = math.Floor(to)
	}
	return max(to, s.Bound)
}

// turn notes a turn.
func (a *Actor) turn(s *state, t Turn) Turn {
	t.Setting, t.From = s.Name, s.now
	s.last = t.At
	if t.Undo {
		s.undone = t.At
	}
	if !s.Deed {
		s.now = t.To
	}
	a.turns = append(a.turns, t)
	a.turns = a.turns[max(0, len(a.turns)-keptTurns):]
	return t
}

// Failed says that a turn could not be made: the setting counts as it was before. It is tried again after the cool-down.
func (a *Actor) Failed(t Turn, err error) {
	for _, s := range a.states {
		if s.Name == t.Setting && !s.Deed {
			s.now = t.From
		}
	}
	for i := range a.turns {
		if a.turns[i].At.Equal(t.At) && a.turns[i].Setting == t.Setting {
			a.turns[i].Error = err.Error()
		}
	}
}

// Off turns nothing any more, and says what is to be taken back for that.
func (a *Actor) Off(now time.Time) (todo []Turn) {
	a.off = true
	for _, s := range a.states {
		s.shown = 0
		if s.now != s.Base {
			todo = append(todo, a.turn(s, Turn{At: now, To: s.Base, Undo: true, Reason: "acting was switched off"}))
		}
	}
	return todo
}

// On turns again.
func (a *Actor) On() { a.off = false }

// Standing is how a setting stands.
type Standing struct {
	Setting
	Now float64 `json:"now"`
}

// Status is how all stands, the latest turn last.
type Status struct {
	On       bool       `json:"on"`
	Settings []Standing `json:"settings"`
	Turns    []Turn     `json:"turns"`
}

// Status tells how all stands.
func (a *Actor) Status() Status {
	st := Status{On: !a.off, Settings: []Standing{}, Turns: append([]Turn{}, a.turns...)}
	for _, s := range a.states {
		st.Settings = append(st.Settings, Standing{s.Setting, s.now})
	}
	return st
}
