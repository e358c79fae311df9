// Package buckets counts response times of short intervals in few bytes: 16 buckets for each doubling, so that a value is
// known to within 2.2 %. Totals of a run are kept in finer histograms; these make time series, heat maps and resampling
// possible for any part of a run.
package buckets

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

const (
	perDoubling = 16
	most        = 1<<30 - 1 // microseconds, about 18 minutes; longer ones count as this
	size        = 26*perDoubling + perDoubling
)

// Index is the bucket of a duration.
func Index(d time.Duration) int {
	v := uint64(min(max(d.Microseconds(), 0), most))
	shift := max(bits.Len64(v)-5, 0)
	return shift*perDoubling + int(v>>shift)
}

// Bounds of a bucket, in seconds: it holds values from low on, below high.
func Bounds(i int) (low, high float64) {
	shift := max(i/perDoubling-1, 0)
	at := i - shift*perDoubling
	return float64(at<<shift) / 1e6, float64((at+1)<<shift) / 1e6
}

// Counts gathers an interval. The zero value is empty. Not safe for concurrent use.
type Counts struct {
	n [size]uint32
}

// Add counts one duration.
func (c *Counts) Add(d time.Duration) { c.n[Index(d)]++ }

// Take moves what c has counted on top of into, and empties c.
func (c *Counts) Take(into *Counts) {
	for i, n := range c.n {
		if n != 0 {
			into.n[i] += n
			c.n[i] = 0
		}
	}
}

// Sparse is the same, small and unchangeable.
func (c *Counts) Sparse() Sparse {
	var s Sparse
	for i, n := range c.n {
		if n != 0 {
			s = append(s, Bucket{i, int64(n)})
		}
	}
	return s
}

// Bucket is how many values there are in the bucket of an index.
type Bucket struct {
	Index int
	N     int64
}

// Sparse is buckets that are not empty, in order.
type Sparse []Bucket

// Count is how many values there are.
func (s Sparse) Count() (n int64) {
	for _, b := range s {
		n += b.N
	}
	return n
}

// Sum is about what the values add up to, in seconds: each counts as its bucket's middle.
func (s Sparse) Sum() (sum float64) {
	for _, b := range s {
		low, high := Bounds(b.Index)
		sum += float64(b.N) * (low + high) / 2
	}
	return sum
}

// Merge adds two up.
func Merge(a, b Sparse) Sparse {
	if len(a) == 0 {
		return b
	}
	sum := make(Sparse, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Index < b[0].Index:
			sum, a = append(sum, a[0]), a[1:]
		case a[0].Index > b[0].Index:
			sum, b = append(sum, b[0]), b[1:]
		default:
			sum = append(sum, Bucket{a[0].Index, a[0].N + b[0].N})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(sum, a...), b...)
}

// Quantile is the value, in seconds, below which a share q of all lies, 0 ≤ q ≤ 1; within a bucket values are taken to be
// spread evenly. 0 when there are none.
func (s Sparse) Quantile(q float64) float64 {
	rank := q * float64(s.Count())
	for _, b := range s {
		if n := float64(b.N); rank > n {
			rank -= n
			continue
		}
		low, high := Bounds(b.Index)
		return low + (high-low)*rank/float64(b.N)
	}
	return 0
}

// MarshalText writes "index:count index:count …": short, and one line in an indented file.
func (s Sparse) MarshalText() ([]byte, error) {
	var b []byte
	for i, x := range s {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(x.Index), 10)
		b = append(b, ':')
		b = strconv.AppendInt(b, x.N, 10)
	}
	return b, nil
}

var errText = errors.New("buckets: not index:count pairs in order")

// UnmarshalText reads what MarshalText writes.
func (s *Sparse) UnmarshalText(text []byte) error {
	*s = nil
	last := -1
	for pair := range strings.FieldsSeq(string(text)) {
		index, count, _ := strings.Cut(pair, ":")
		i, err := strconv.Atoi(index)
		n, err2 := strconv.ParseInt(count, 10, 64)
		if err != nil || err2 != nil || i <= last || i >= size || n <= 0 {
			return fmt.Errorf("%w: %q", errText, pair)
		}
		*s, last = append(*s, Bucket{i, n}), i
	}
	return nil
}
