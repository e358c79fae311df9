package limit

import (
	"strconv"
	"time"
)

// bucket is a Rate in nanoseconds: the generic cell rate algorithm (ITU-T I.371) keeps one number a client, the time
// at which its bucket is full again. A request adds interval to it, and is refused if that lies beyond now + depth.
// So at most burst + rate × t requests pass in any span t, and nothing has to be refilled.
type bucket struct {
	interval int64 // what one request costs
	depth    int64 // interval × burst
	burst    int

	policy []string   // the header RateLimit-Policy
	left   [][]string // the header RateLimit by what is left, thinned out
	thin   int        // requests for one step of left
}

// maxRendered bounds the headers that are kept ready for one bucket.
const maxRendered = 256

// newBucket returns nil for a rate that allows everything.
func newBucket(class, partition string, r Rate, divide int) *bucket {
	if r.Requests == 0 {
		return nil
	}
	if r.Per == 0 {
		r.Per = time.Second
	}
	if r.Burst == 0 {
		r.Burst = r.Requests
	}
	b := &bucket{interval: max(1, int64(r.Per)*int64(divide)/int64(r.Requests)), burst: max(1, r.Burst/divide)}
	b.depth = b.interval * int64(b.burst)
	name := strconv.Quote(class + "-" + partition)
	window := (b.depth + int64(time.Second) - 1) / int64(time.Second)
	b.policy = []string{name + ";q=" + strconv.Itoa(b.burst) + ";w=" + strconv.FormatInt(max(1, window), 10)}
	b.thin = b.burst/maxRendered + 1
	for n := 0; n <= b.burst/b.thin; n++ {
		left := n * b.thin
		full := (int64(b.burst-left)*b.interval + int64(time.Second) - 1) / int64(time.Second)
		b.left = append(b.left, []string{name + ";r=" + strconv.Itoa(left) + ";t=" + strconv.FormatInt(full, 10)})
	}
	return b
}

// take asks for one request of a client whose bucket is full at full. It returns the new time, whether the request is
// admitted, and if not after how long it would be.
func (b *bucket) take(full, now int64) (next int64, ok bool, wait int64) {
	next = max(full, now) + b.interval
	if over := next - now - b.depth; over > 0 {
		return full, false, over
	}
	return next, true, 0
}

// remaining says how many requests would be admitted at once.
func (b *bucket) remaining(full, now int64) int {
	return int(min(int64(b.burst), max(0, (b.depth-max(0, full-now))/b.interval)))
}

// header is the value of RateLimit for what is left, rounded down.
func (b *bucket) header(left int) []string { return b.left[min(left/b.thin, len(b.left)-1)] }
