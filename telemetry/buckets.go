package telemetry

import (
	"math"
	"math/bits"
	"time"
)

// Buckets are those of a DDSketch (Masson, Rim and Lee, 2019) whose logarithm is interpolated linearly between powers of
// two, so that finding one takes integers only: each octave is divided into parts equal steps. A bucket's ends are at most
// 1 + 1/parts apart, and the value that stands for it is then off by 1/(2*parts+1) at most, 0.99 %.
const (
	parts       = 50
	firstOctave = 6  // 64
	lastOctave  = 41 // up to 2^42
	octaves     = lastOctave - firstOctave + 1

	below       = 0 // values under MinValue
	above       = 1 + octaves*parts
	bucketCount = above + 1
)

// MinValue and MaxValue are the ends of the range in which quantiles are right within 1 %.
const (
	MinValue = time.Duration(1) << firstOctave
	MaxValue = time.Duration(1)<<(lastOctave+1) - 1
)

// place is the octave and the part of it in which v lies, for v within the range.
func place(v uint64) (octave int, part uint64) {
	octave = bits.Len64(v) - 1
	part, _ = bits.Mul64(v<<(64-octave), parts) // the digits behind the first, as a fraction
	return octave - firstOctave, part
}

// standIns are the values that stand for the buckets: the ones with the least relative error to both ends.
var standIns = func() (s [bucketCount]float64) {
	for i := range s {
		switch i {
		case below:
			s[i] = float64(MinValue)
		case above:
			s[i] = float64(MaxValue)
		default:
			octave, part := (i-1)/parts+firstOctave, (i-1)%parts
			low := math.Ldexp(1+float64(part)/parts, octave)
			high := math.Ldexp(1+float64(part+1)/parts, octave)
			s[i] = 2 * low * high / (low + high)
		}
	}
	return s
}()
