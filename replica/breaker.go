package replica

import (
	"sync/atomic"
	"time"
)

// breaker decides whether reads may use a server. Open, only the watcher asks it; half-open, one read at a time does, as a
// probe, and a few good ones in a row close it. A failing probe opens it again, for longer each time.
type breaker struct {
	healthy  atomic.Bool  // not open
	probes   atomic.Int32 // good probes still missing; 0 when closed
	probing  atomic.Bool  // a probe is on its way
	openTill atomic.Int64 // unix nanoseconds: not half-open before
	cooldown atomic.Int64 // nanoseconds: what the next failure costs
}

// neededProbes is how many good reads in a row close a half-open breaker.
const neededProbes = 3

const maxCooldown = time.Minute

func (b *breaker) state() string {
	switch {
	case !b.healthy.Load():
		return "open"
	case b.probes.Load() > 0:
		return "half-open"
	}
	return "closed"
}

// admit tells whether a read may go there now, and whether it is a probe, to be reported with probed.
func (b *breaker) admit() (ok, probe bool) {
	if !b.healthy.Load() {
		return false, false
	}
	if b.probes.Load() == 0 {
		return true, false
	}
	if b.probing.CompareAndSwap(false, true) {
		return true, true
	}
	return false, false
}

// available is admit without taking the probe.
func (b *breaker) available() bool {
	return b.healthy.Load() && (b.probes.Load() == 0 || !b.probing.Load())
}

// probed reports a probe's end; a bad one is reported to open as well.
func (b *breaker) probed(good bool) {
	if good && b.probes.Load() > 0 && b.probes.Add(-1) == 0 {
		b.cooldown.Store(0)
	}
	b.probing.Store(false)
}

// open takes the server out. With least, no probe is made before that, or before what repeated failures have earned.
// It reports whether it was in.
func (b *breaker) open(least time.Duration) bool {
	if !b.healthy.CompareAndSwap(true, false) {
		return false
	}
	if b.probes.Swap(0) > 0 { // it failed again on probation
		c := min(max(2*time.Duration(b.cooldown.Load()), 100*time.Millisecond, least), maxCooldown)
		b.cooldown.Store(int64(c))
		least = c
	} else if least > 0 {
		b.cooldown.Store(int64(least))
	}
	b.openTill.Store(time.Now().Add(least).UnixNano())
	return true
}

// halfOpen lets probes in once the cool-down is over; it reports whether it did.
func (b *breaker) halfOpen() bool {
	if b.healthy.Load() || time.Now().UnixNano() < b.openTill.Load() {
		return false
	}
	b.probes.Store(neededProbes)
	return b.healthy.CompareAndSwap(false, true)
}

// close lets everybody in: the server was only late. It reports whether it was open.
func (b *breaker) close() bool {
	b.probes.Store(0)
	return b.healthy.CompareAndSwap(false, true)
}
