package shop

import (
	"context"
	"sync"
	"time"
)

// Timing collects which tiers worked on a request and for how long; it becomes the Server-Timing header.
// At most maxTimings entries are kept.
type Timing struct {
	mu      sync.Mutex
	entries []TimingEntry
}

// TimingEntry is one metric of a Server-Timing header. Tier is l1, l2, l3 or db; Desc "hit", "miss", or the name of
// the node that answered; a zero Dur is left out.
type TimingEntry struct {
	Tier string
	Desc string
	Dur  time.Duration
}

const maxTimings = 16

type timingKey struct{}

// WithTiming returns a context whose tiers report to the returned Timing.
func WithTiming(ctx context.Context) (context.Context, *Timing) {
	t := &Timing{}
	return context.WithValue(ctx, timingKey{}, t), t
}

// Observe reports to the context's Timing, if it has one.
func Observe(ctx context.Context, tier, desc string, dur time.Duration) {
	t, ok := ctx.Value(timingKey{}).(*Timing)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.entries) < maxTimings {
		t.entries = append(t.entries, TimingEntry{tier, desc, dur})
	}
}

// Entries returns what was reported so far.
func (t *Timing) Entries() []TimingEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]TimingEntry(nil), t.entries...)
}
