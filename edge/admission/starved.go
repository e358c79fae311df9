package admission

import (
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	runtimemetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

const (
	lookEvery = 100 * time.Millisecond
	hurry     = 0.1 // of need that is added for each time that work waits as long again as it may
	quickest  = 0.2 // of need that one look adds at most
	recovery  = 0.1 // of need that goes in lookEvery
	tiers     = 4   // of requests that are refused one after the other; checkouts never are
	mostNeed  = tiers - 0.5
	smallBody = 4 << 10 // is taken in when it is refused, so that the connection can go on
)

// starvation is how far this process lacks processor time: how long its work waits until it runs. Others on the same
// machine may be the cause as well as too many requests; either way the cheapest answer is the one that is given first.
type starvation struct {
	slack time.Duration
	delay func() time.Duration

	next atomic.Int64  // Unix nanoseconds of the next look
	need atomic.Uint64 // bits of a float64: 0 none, up to tiers
	last atomic.Int64  // delay that was seen last

	looking sync.Mutex
}

// look measures, if it is time to; whoever comes first does it for all.
func (s *starvation) look(now time.Time) float64 {
	need := math.Float64frombits(s.need.Load())
	if now.UnixNano() < s.next.Load() || !s.looking.TryLock() {
		return need
	}
	defer s.looking.Unlock()
	delay := s.delay()
	s.last.Store(int64(delay))
	if excess := float64(delay)/float64(s.slack) - 1; excess > 0 {
		need = min(mostNeed, need+min(quickest, hurry*excess))
	} else { // also for the time in which nobody came to look
		late := time.Duration(now.UnixNano() - s.next.Load())
		need = max(0, need-recovery*(1+late.Seconds()/lookEvery.Seconds()))
	}
	s.need.Store(math.Float64bits(need))
	s.next.Store(now.Add(lookEvery).UnixNano())
	return need
}

// tier is when a request is refused: those of newcomers first, pages before carts. Who has begun to buy goes on longest.
func tier(c Class, known bool) int {
	switch {
	case c == Checkout:
		return tiers
	case c == Cart && known:
		return 3
	case known:
		return 2
	case c == Cart:
		return 1
	}
	return 0
}

// spares tells whether a request goes on at a need. Of the tier that it has come to, a share is refused; crawlers are all.
func spares(need float64, c Class, known bool) bool {
	if c == Crawl {
		return need == 0
	}
	return rand.Float64() >= need-float64(tier(c, known))
}

// Guard refuses requests before anything was spent on them, while this process itself lacks processor time: [Limiter.Wrap]
// further in protects the service behind, but by then most of the work here is done. It belongs outermost. What a waiting room
// answers for ([Options.Queued]) it leaves to that.
func (l *Limiter) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		need := l.starved.look(now)
		if need == 0 {
			next.ServeHTTP(w, r)
			return
		}
		class, known := l.opts.Classify(r), l.opts.Known(r)
		if spares(need, class, known) || class != Crawl && l.opts.Queued(r) {
			next.ServeHTTP(w, r)
			return
		}
		l.turnAway(now, class, known)
		if r.Body != nil && r.ContentLength > 0 && r.ContentLength <= smallBody {
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength+1) // +1 for its end; if it fails the connection ends
		}
		l.opts.Refuse(w, r, l.RetryAfter())
	})
}

// turnAway counts a refusal of [Limiter.Guard]. A newcomer's cart is no buyer's: nobody has let them in yet, and who waits for buyers to
// be served has to let in none the fewer for it.
func (l *Limiter) turnAway(now time.Time, c Class, known bool) {
	l.m.early.Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	if known || c > Cart {
		l.shed(now, c)
		return
	}
	l.recent.refuse(now)
	l.m.shed[c].Inc()
}

// waitForProcessor measures how long work that could run waited on average before it did, each time since the last.
func waitForProcessor() func() time.Duration {
	s := []runtimemetrics.Sample{{Name: "/sched/latencies:seconds"}}
	var before []uint64
	return func() time.Duration {
		runtimemetrics.Read(s)
		h := s[0].Value.Float64Histogram()
		if before == nil {
			before = append(before, h.Counts...)
			return 0
		}
		n, sum := uint64(0), 0.0
		for i, c := range h.Counts {
			if d := c - before[i]; d > 0 {
				n += d
				sum += float64(d) * max(0, h.Buckets[i]) // the lower bound: the first and the last bucket are unbounded
			}
			before[i] = c
		}
		if n == 0 {
			return 0
		}
		return time.Duration(sum / float64(n) * float64(time.Second))
	}
}
