package warm

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Pressure tells how hard others make work what is warmed from.
type Pressure interface {
	// Pressure is 0 when there is nobody else; from 1 on warming pauses.
	Pressure() float64
}

// PressureFunc is a Pressure.
type PressureFunc func() float64

// Pressure calls f.
func (f PressureFunc) Pressure() float64 { return f() }

// Most is the highest of several pressures.
func Most(list ...Pressure) Pressure {
	return PressureFunc(func() (most float64) {
		for _, p := range list {
			most = max(most, p.Pressure())
		}
		return most
	})
}

// Meter measures the work of others: how much of it is under way, and how long it takes. It is a [Pressure]. Make it with
// [NewMeter].
type Meter struct {
	limit    time.Duration
	capacity int64
	now      atomic.Int64 // under way
	windows  [2]window
}

// window holds the times of a second.
type window struct {
	second  atomic.Int64 // of the clock
	buckets [4 * 40]atomic.Uint32
}

// NewMeter makes one whose pressure reaches 1 when a twentieth of the work of the last second or two took longer than limit, or capacity
// pieces of work are under way. 0 leaves one of them out.
func NewMeter(limit time.Duration, capacity int) *Meter {
	return &Meter{limit: limit, capacity: int64(capacity)}
}

// Begin is called before a piece of work, and what it returns when that has ended.
func (m *Meter) Begin() time.Time {
	m.now.Add(1)
	return time.Now()
}

// End is called with what Begin returned. A handful of atomic operations; no allocation.
func (m *Meter) End(began time.Time) {
	m.now.Add(-1)
	now := time.Now()
	second := now.Unix()
	w := &m.windows[second&1]
	if was := w.second.Load(); was != second && w.second.CompareAndSwap(was, second) {
		for i := range w.buckets {
			w.buckets[i].Store(0) // what others add meanwhile may be lost
		}
	}
	w.buckets[bucketOf(now.Sub(began))].Add(1)
}

// bucketOf divides each power of two of nanoseconds into four.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 4))
	log := bits.Len64(n) - 1
	return min(4*log+int(n>>(log-2)&3), 4*40-1)
}

// topOf is the upper end of a bucket.
func topOf(i int) time.Duration { return time.Duration(5+i%4) << (i/4 - 2) }

// Latency is the time within which 95 % of the work of this second and the one before was done, up to a fifth too high; 0
// when there was none.
func (m *Meter) Latency() time.Duration {
	var counts [4 * 40]uint32
	var all uint64
	second := time.Now().Unix()
	for i := range m.windows {
		w := &m.windows[i]
		if age := second - w.second.Load(); age < 0 || age > 1 {
			continue
		}
		for j := range w.buckets {
			n := w.buckets[j].Load()
			counts[j] += n
			all += uint64(n)
		}
	}
	above := all / 20
	for i := len(counts) - 1; i >= 0; i-- {
		if n := uint64(counts[i]); n > above {
			return topOf(i)
		} else {
			above -= n
		}
	}
	return 0
}

// UnderWay is how much work is.
func (m *Meter) UnderWay() int { return int(m.now.Load()) }

// Pressure implements [Pressure].
func (m *Meter) Pressure() float64 {
	level := 0.0
	if m.limit > 0 {
		level = float64(m.Latency()) / float64(m.limit)
	}
	if m.capacity > 0 {
		level = max(level, float64(m.now.Load())/float64(m.capacity))
	}
	return level
}
