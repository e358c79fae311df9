package flight

import (
	"slices"
	"sync"
	"time"
)

const (
	jumpFactor = 4
	leastJump  = 50 * time.Millisecond
	signFactor = 2
	leastSign  = 5 * time.Millisecond
	leastCount = 100 // in a second, below which half as many mean nothing

	remembered = 3 * 60 * int(time.Second/Beat) // readings, of which the median is the usual
	enough     = 30 * int(time.Second/Beat)     // to know the usual
)

// reading is how many there were in a second, and their 99th percentile.
type reading struct {
	n   uint64
	p99 time.Duration
}

// change is what a reading tells beside those before it.
type change int

const (
	nothing change = iota
	sign           // something may be beginning
	jump           // it is here
)

// usual are the medians of recent readings.
type usual struct {
	mu     sync.Mutex
	recent []reading
	next   int
}

// look compares a reading with the usual ones, and remembers it; median is that of their percentiles.
func (u *usual) look(r reading) (median time.Duration, is change) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.recent) >= enough {
		count, p99 := u.medians()
		median = p99
		switch {
		case r.p99 >= leastJump && p99 > 0 && r.p99 > jumpFactor*p99:
			is = jump
		case r.p99 >= leastSign && p99 > 0 && r.p99 > signFactor*p99, count >= leastCount && r.n < count/signFactor:
			is = sign
		}
	}
	if len(u.recent) < remembered {
		u.recent = append(u.recent, r)
	} else {
		u.recent[u.next] = r
		u.next = (u.next + 1) % remembered
	}
	return median, is
}

func (u *usual) medians() (n uint64, p99 time.Duration) {
	counts, p99s := make([]uint64, 0, len(u.recent)), make([]time.Duration, 0, len(u.recent))
	for _, r := range u.recent {
		counts = append(counts, r.n)
		if r.p99 > 0 {
			p99s = append(p99s, r.p99)
		}
	}
	slices.Sort(counts)
	slices.Sort(p99s)
	if len(p99s) >= enough {
		p99 = p99s[len(p99s)/2]
	}
	return counts[len(counts)/2], p99
}
