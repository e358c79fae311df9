package cpushare

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnavailable says that no quota can be set here; the error that wraps it says why.
var ErrUnavailable = errors.New("processor time cannot be held to a share here")

// period is how often the quota begins anew. It is short, so that a process that has used its share up does not stand
// still for long; the kernel takes quotas of a millisecond and more.
const period = 20 * time.Millisecond

// quota of a period; the kernel takes a millisecond at least.
func quota(share float64) (time.Duration, error) {
	q := time.Duration(share * float64(period)).Round(time.Microsecond)
	if !(share <= 1024) || q < time.Millisecond {
		return 0, fmt.Errorf("%w: a share of %v cores; at least %v", ErrUnavailable, share, float64(time.Millisecond)/float64(period))
	}
	return q, nil
}

// Throttled is what a quota has done to a group.
type Throttled struct {
	Periods int64 // in which the group wanted to run
	Stopped int64 // of these, in which its quota was used up before its work was done
	// For is how long it stood still for that. Each processor on which it wanted to run counts by itself.
	For time.Duration
}
