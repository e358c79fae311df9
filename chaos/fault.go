package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Sentinel errors. Those that wrap them say what to do.
var (
	ErrUnknown     = errors.New("chaos: no such fault")
	ErrUnavailable = errors.New("chaos: the fault is not possible here")
	ErrParams      = errors.New("chaos: wrong parameters")
	ErrBusy        = errors.New("chaos: the target is held by another fault, or too many are in force")
	ErrStopped     = errors.New("chaos: stopped")
	ErrNotActive   = errors.New("chaos: no such injection is active")
	ErrNotUndone   = errors.New("chaos: a fault is not undone yet")
)

// DefaultLimit is after what time a fault undoes itself when it does not say otherwise.
const DefaultLimit = 10 * time.Minute

// Fault is something that can be done to a system and taken back. Only Name and Plan are needed.
type Fault struct {
	Name  string // lower case, words joined by hyphens
	About string // one line: what it does
	Blast string // one line: who feels it
	// Params are what can be said about an injection; nothing else is taken.
	Params []Param
	// Limit is the longest that the fault may last, and how long it lasts when nobody says. 0 is DefaultLimit.
	Limit time.Duration
	// Available says why the fault is not possible here; nil error or nil func: it is.
	Available func(ctx context.Context) error
	// Plan decides what is to be touched, and touches nothing.
	Plan func(ctx context.Context, v Values) (Plan, error)
	// Recover undoes what a process left that was killed, from the plan's state alone. It may find anything done, half done
	// or undone already. nil: the fault ends with the process that injected it.
	Recover func(ctx context.Context, state json.RawMessage) error
}

// Plan is one injection that has not happened yet.
type Plan struct {
	// Target names what is touched. While one injection holds it no other can have it; "" is shared with everybody.
	Target string
	// State is what Recover needs, as JSON.
	State any
	// Inject does it. When it returns an error it has left nothing behind. amend writes a newer state to the journal and
	// returns when it is on disk; it is for faults that find out on the way what else they will touch.
	Inject func(ctx context.Context, amend func(state any) error) (Undo, error)
}

// Undo takes an injection back and returns when that is done. It is called again when it fails; ctx bounds one try.
type Undo func(ctx context.Context) error

// limit is how long an injection lasts that was asked to last for d; 0 is as long as it may.
func (f *Fault) limit(d time.Duration) time.Duration {
	most := f.Limit
	if most == 0 {
		most = DefaultLimit
	}
	if d <= 0 {
		return most
	}
	return min(d, most)
}
