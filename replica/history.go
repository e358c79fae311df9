package replica

import (
	"sync"
	"time"
)

// sample says that the primary had written up to lsn at a time.
type sample struct {
	lsn LSN
	at  time.Time
}

// history remembers where the primary was, to turn a replica's position into a time. PostgreSQL's own
// pg_last_xact_replay_timestamp cannot tell a late replica from an idle primary.
type history struct {
	mu      sync.Mutex
	samples []sample // ascending
}

// maxSamples bounds the history; older positions count as old as the oldest sample.
const maxSamples = 256

func (h *history) add(s sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.samples); n > 0 {
		if last := h.samples[n-1].lsn; last == s.lsn {
			return // keep the time at which the primary got there: that is when a replica began to be late
		} else if last > s.lsn {
			h.samples = h.samples[:0] // the log was replaced
		}
	}
	if len(h.samples) == maxSamples {
		h.samples = append(h.samples[:0], h.samples[maxSamples/2:]...)
	}
	h.samples = append(h.samples, s)
}

// behind is how many bytes, and for how long at least, a replica at lsn has been behind the primary at time now.
func (h *history) behind(lsn LSN, now time.Time) (int64, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	if n == 0 || lsn >= h.samples[n-1].lsn {
		return 0, 0
	}
	for i := n - 1; i >= 0; i-- {
		if i == 0 || h.samples[i-1].lsn <= lsn {
			return int64(h.samples[n-1].lsn - lsn), now.Sub(h.samples[i].at) // the first sample it has not reached
		}
	}
	return 0, 0
}
