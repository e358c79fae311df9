package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// ErrEncoding says that a text is not that of a snapshot.
var ErrEncoding = errors.New("telemetry: not the text of a snapshot")

const base = 36

// MarshalText writes the buckets in use, as "gap*count" with a blank between two: gap is how far a bucket is behind the one
// before, both numbers are in base 36, and "*count" is left out for a count of one.
func (s Snapshot) MarshalText() ([]byte, error) {
	out := make([]byte, 0, 4*len(s.buckets))
	last := int64(-1)
	for i, b := range s.buckets {
		if i > 0 {
			out = append(out, ' ')
		}
		out = strconv.AppendInt(out, int64(b.index)-last, base)
		if b.count > 1 {
			out = strconv.AppendUint(append(out, '*'), b.count, base)
		}
		last = int64(b.index)
	}
	return out, nil
}

// UnmarshalText reads what MarshalText wrote; anything else is an [ErrEncoding].
func (s *Snapshot) UnmarshalText(text []byte) error {
	var out []bucket
	at, total := int64(-1), uint64(0)
	for rest, more := text, len(text) > 0; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte(" "))
		gapText, countText, many := bytes.Cut(field, []byte("*"))
		gap, err := strconv.ParseInt(string(gapText), base, 32)
		if at += gap; err != nil || gap < 1 || at >= bucketCount {
			return fmt.Errorf("%w: bucket %q", ErrEncoding, field)
		}
		count := uint64(1)
		if many {
			count, err = strconv.ParseUint(string(countText), base, 64)
		}
		if err != nil || count == 0 || count > math.MaxUint64-total {
			return fmt.Errorf("%w: count %q", ErrEncoding, field)
		}
		total += count
		out = append(out, bucket{uint16(at), count}) //nolint:gosec // below bucketCount
	}
	s.buckets = out
	return nil
}
