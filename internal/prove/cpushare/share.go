package cpushare

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnavailable says that no quota can be set here; the error that wraps it says why.
var ErrUnavailable = errors.New("processor time cannot be held to a share here")

// period is how often the quota begins anew. The shorter it is the less long does a process stand still that has used its share up; the
// longer, the more of it does its work find warm what others have left of the processors' caches. The kernel takes quotas of a
// millisecond and more.
const period = 50 * time.Millisecond

// weight of a group that is held, of that of any other: what else runs on the machine is not to take from the shares, which are small.
const weight = 8

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
