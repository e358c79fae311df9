package cache

import (
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe"
)

// striped is a counter whose writers seldom meet in one cache line.
type striped [stripes]struct {
	n atomic.Uint64
	_ [56]byte
}

const stripes = 32

const (
	sampleEvery = 256 // hits stand for the one that is looked at closely
	noticeEvery = 16  // hits stand for the one that policy and front learn of
)

// add counts one and draws a lot, evenly spread over all numbers and without a pattern that keys asked for in turn could share.
// Goroutines are spread over the stripes by where their stacks lie, which costs nothing to find out, and keeps one goroutine on one
// stripe.
func (s *striped) add() (lot uint64) {
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	return s[(at>>11^at>>17)%stripes].n.Add(1) * 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
}

func (s *striped) sum() (n uint64) {
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}

// histogram counts durations by powers of two of nanoseconds.
type histogram struct {
	classes [40]atomic.Uint64
	sum     atomic.Uint64 // nanoseconds
}

func (h *histogram) add(d time.Duration) { h.addN(d, 1) }

func (h *histogram) addN(d time.Duration, n uint64) {
	ns := uint64(max(d, 0))
	h.classes[min(bits.Len64(ns), len(h.classes)-1)].Add(n)
	h.sum.Add(ns * n)
}

// Latency summarises how long something took. Quantiles are upper bounds of classes, each twice the one before.
type Latency struct {
	Count uint64        `json:"count"`
	Sum   time.Duration `json:"sum_ns"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
}

func (h *histogram) summary() Latency {
	var counts [len(h.classes)]uint64
	l := Latency{Sum: time.Duration(h.sum.Load())}
	for i := range h.classes {
		counts[i] = h.classes[i].Load()
		l.Count += counts[i]
	}
	quantile := func(q float64) time.Duration {
		seen := uint64(0)
		for i, n := range counts {
			if seen += n; n > 0 && float64(seen) >= q*float64(l.Count) {
				return time.Duration(1) << i
			}
		}
		return 0
	}
	l.P50, l.P99 = quantile(0.5), quantile(0.99)
	return l
}
