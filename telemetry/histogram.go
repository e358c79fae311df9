package telemetry

import (
	"sync/atomic"
	"time"
)

// Histogram counts values, most often durations in nanoseconds. The zero value is ready. It is safe for concurrent use:
// recording is one atomic addition, O(1). It grows by 400 bytes for each power of two that it has seen.
type Histogram struct {
	octaves      [octaves]atomic.Pointer[[parts]atomic.Uint64]
	below, above atomic.Uint64
}

// Record counts a duration.
func (h *Histogram) Record(d time.Duration) {
	if d < MinValue {
		h.below.Add(1)
		return
	}
	if d > MaxValue {
		h.above.Add(1)
		return
	}
	o, part := place(uint64(d))
	c := h.octaves[o].Load()
	if c == nil {
		c = h.grow(o)
	}
	c[part].Add(1)
}

func (h *Histogram) grow(o int) *[parts]atomic.Uint64 {
	h.octaves[o].CompareAndSwap(nil, new([parts]atomic.Uint64))
	return h.octaves[o].Load()
}

// Snapshot is what was counted so far. Values recorded meanwhile may be in it or not.
func (h *Histogram) Snapshot() Snapshot {
	return h.collect(func(n *atomic.Uint64) uint64 { return n.Load() })
}

// Drain is what was counted since the last Drain: each value is in one of them. Snapshot begins anew with it.
func (h *Histogram) Drain() Snapshot {
	return h.collect(func(n *atomic.Uint64) uint64 {
		if n.Load() == 0 { // most are, and writing would take the line away from those who record
			return 0
		}
		return n.Swap(0)
	})
}

func (h *Histogram) collect(read func(*atomic.Uint64) uint64) (s Snapshot) {
	add := func(index int, n uint64) {
		if n > 0 {
			s.buckets = append(s.buckets, bucket{uint16(index), n}) //nolint:gosec // below bucketCount
		}
	}
	add(below, read(&h.below))
	for o := range h.octaves {
		if c := h.octaves[o].Load(); c != nil {
			for part := range c {
				add(1+o*parts+part, read(&c[part]))
			}
		}
	}
	add(above, read(&h.above))
	return s
}
