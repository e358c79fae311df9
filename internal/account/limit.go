package account

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits on attempts to sign in. A bucket refills by one each refill; a sign-in that succeeds empties its pair's record.
const (
	pairBurst  = 10  // attempts on one address by one client
	emailBurst = 100 // attempts on one address by everybody
	refill     = 6 * time.Second
	maxBuckets = 20_000 // in each of two generations
)

type clientKey struct{}

// WithClient names the client (its network address) that a request comes from, for the limits on signing in.
func WithClient(ctx context.Context, client string) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// Client returns what WithClient set, "" without.
func Client(ctx context.Context) string {
	c, _ := ctx.Value(clientKey{}).(string)
	return c
}

// limiter is a bounded set of token buckets. When a generation is full it becomes the old one and what has not been
// touched since the one before is forgotten.
type limiter struct {
	mu       sync.Mutex
	cur, old map[string]*rate.Limiter
	burst    int
	max      int
	now      func() time.Time
}

func newLimiter(burst, max int, now func() time.Time) *limiter {
	return &limiter{cur: map[string]*rate.Limiter{}, burst: burst, max: max, now: now}
}

// take uses one token, or returns how long until there is one.
func (l *limiter) take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.cur[key]
	if !ok {
		if b, ok = l.old[key]; !ok {
			b = rate.NewLimiter(rate.Every(refill), l.burst)
		}
		if len(l.cur) >= l.max {
			l.old, l.cur = l.cur, map[string]*rate.Limiter{}
		}
		l.cur[key] = b
	}
	now := l.now()
	r := b.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// forget gives a key its full burst again.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cur, key)
	delete(l.old, key)
}
