package admission

import (
	"math"
	"time"
)

const (
	fade    = 0.9                    // of the peak is left after a slice
	flowing = 0.5                    // of the peak that is given out at least where work goes on
	enough  = 20                     // places given out that tell a rate
	still   = 150 * time.Millisecond // without one while somebody waits, and the service stands still
)

// flow is how fast places are given out: counts of the slice under way and of the one before.
type flow struct {
	begun  time.Time
	n      [2]int
	peak   float64   // most in a slice, less the longer ago
	latest time.Time // place
}

func (f *flow) turn(now time.Time) {
	switch age := now.Sub(f.begun); {
	case age < slice:
	case age < 2*slice:
		f.peak = max(fade*f.peak, float64(f.n[0]))
		f.begun, f.n = f.begun.Add(slice), [2]int{0, f.n[0]}
	default:
		f.anew(now)
	}
}

// anew begins to count after a standstill, of which the rate says nothing.
func (f *flow) anew(now time.Time) {
	ago := now.Sub(f.begun).Seconds() / slice.Seconds()
	*f = flow{begun: now, peak: max(f.peak, float64(f.n[0]), float64(f.n[1])) * math.Pow(fade, ago), latest: f.latest}
}

// give counts a place.
func (f *flow) give(now time.Time) {
	if now.Sub(f.latest) >= still {
		f.anew(now)
	}
	f.turn(now)
	f.n[0]++
	f.latest = now
}

// rate is how many places a second are given out. It is not ok where that is not known, or the service stands still or does much less
// than lately, for a moment perhaps: then nobody knows how long a wait will be.
func (f *flow) rate(now time.Time) (rate float64, ok bool) {
	f.turn(now)
	span := max(now.Sub(f.begun), slice/10)
	if f.n[1] > 0 {
		span += slice
	}
	n := f.n[0] + f.n[1]
	rate = float64(n) / span.Seconds()
	return rate, n >= enough && now.Sub(f.latest) < still && rate*slice.Seconds() >= flowing*f.peak
}
