package telemetry

import (
	"math"
	"time"
)

// Snapshot is what a [Histogram] had counted, without the empty buckets. It does not change; the zero value is empty.
type Snapshot struct{ buckets []bucket } // by index, none of them empty

type bucket struct {
	index uint16
	count uint64
}

// Count is the number of values.
func (s Snapshot) Count() (n uint64) {
	for _, b := range s.buckets {
		n += b.count
	}
	return n
}

// Sum is the sum of the values in nanoseconds, within 1 %.
func (s Snapshot) Sum() (sum float64) {
	for _, b := range s.buckets {
		sum += float64(b.count) * standIns[b.index]
	}
	return sum
}

// Quantile is the value below or at which the share q of the values lies (the nearest rank), within 1 % and half a nanosecond; 0
// when there are none.
func (s Snapshot) Quantile(q float64) time.Duration { return time.Duration(math.Round(s.quantile(q))) }

func (s Snapshot) quantile(q float64) float64 {
	total := s.Count()
	if total == 0 {
		return 0
	}
	rank := rankOf(q, total)
	for _, b := range s.buckets {
		if b.count >= rank {
			return standIns[b.index]
		}
		rank -= b.count
	}
	return 0 // not reached: the ranks end with the total
}

// rankOf is the position of a quantile among total values, from 1.
func rankOf(q float64, total uint64) uint64 {
	return max(1, min(total, uint64(math.Ceil(q*float64(total)))))
}

// Merge is the snapshot of what both have counted. O(n+m) of the buckets in use.
func (s Snapshot) Merge(o Snapshot) Snapshot {
	if len(s.buckets) == 0 || len(o.buckets) == 0 {
		return Snapshot{append(s.buckets[:len(s.buckets):len(s.buckets)], o.buckets...)}
	}
	out := make([]bucket, 0, max(len(s.buckets), len(o.buckets)))
	a, b := s.buckets, o.buckets
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].index < b[0].index:
			out, a = append(out, a[0]), a[1:]
		case a[0].index > b[0].index:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, bucket{a[0].index, a[0].count + b[0].count})
			a, b = a[1:], b[1:]
		}
	}
	return Snapshot{append(append(out, a...), b...)}
}

// Below is how many of the values are at most d, within the bucket that d is in.
func (s Snapshot) Below(d time.Duration) (n uint64) {
	for _, b := range s.buckets {
		if standIns[b.index] > float64(d) {
			break
		}
		n += b.count
	}
	return n
}
