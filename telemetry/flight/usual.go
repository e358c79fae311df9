package flight

import (
	"slices"
	"sync"
	"time"
)

const (
	jumpFactor = 4
	leastJump  = 50 * time.Millisecond
	remembered = 180 // readings, of which the median is the usual
	enough     = 30  // to know the usual
)

// usual is the median of recent percentiles.
type usual struct {
	mu     sync.Mutex
	recent []time.Duration
	next   int
}

// jumped tells whether p99 is far above the usual, and remembers it.
func (u *usual) jumped(p99 time.Duration) (median time.Duration, jumped bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.recent) >= enough {
		sorted := slices.Sorted(slices.Values(u.recent))
		median = sorted[len(sorted)/2]
		jumped = p99 >= leastJump && p99 > jumpFactor*median
	}
	if len(u.recent) < remembered {
		u.recent = append(u.recent, p99)
	} else {
		u.recent[u.next] = p99
		u.next = (u.next + 1) % remembered
	}
	return median, jumped
}
