package cache

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"
)

// entry is a value in L1, or a cached absence. What every hit touches comes first: with a short key and a value of up to 8 bytes it fills
// one cache line, so that a hit of the front costs this line and the front's, which is less than otter's own where memory is the limit.
type entry[V any] struct {
	checked atomic.Uint64 // generations.done when it was last found fresh, plus 1
	soft    atomic.Int64  // from then on a hit needs a second look: see Family.second
	key     string
	short   [19]byte // where a short key lies: it is compared with every hit
	absent  bool     // err says how
	state   atomic.Uint32
	value   V
	facts
}

// Bits of entry.state.
const (
	refreshing uint32 = 1 << iota // somebody replaces it
	gone                          // it left L1
)

func (e *entry[V]) is(bit uint32) bool { return e.state.Load()&bit != 0 }

// claim is for whoever wants to refresh it; false when somebody else does.
func (e *entry[V]) claim() bool { return e.state.Or(refreshing)&refreshing == 0 }

func (e *entry[V]) unclaim() { e.state.And(^refreshing) }

// facts are what a hit seldom asks for. Times are nanoseconds since 1970.
type facts struct {
	few    [4]uint32 // where slots lie when there are no more
	err    error     // of an absence, or of a load that failed
	born   uint64    // see generations
	slots  []uint32
	tags   []string
	weight uint32

	until   int64 // fresh in L1 before this
	expires int64 // the end of the load's TTL, in all tiers
	dead    int64 // of no use from then on, whatever fails
	cost    int64 // of the load, in nanoseconds
}

// newEntry makes an entry of its own, of whatever lies elsewhere in about: nothing keeps the memory of another entry.
func newEntry[V any](key string, v V, absent bool, about facts) *entry[V] {
	e := &entry[V]{key: key, value: v, absent: absent, facts: about}
	if n := copy(e.short[:], key); n == len(key) {
		e.key = unsafe.String(&e.short[0], n)
	}
	if n := copy(e.few[:], e.slots); n == len(e.slots) {
		e.slots = e.few[:n]
	}
	return e
}

// placed notes the slots of the entry's tags and key.
func (e *entry[V]) placed(g *generations, family string) *entry[V] {
	e.slots = g.slotsOf(e.few[:0], family, e.key, e.tags)
	return e
}

// outcome is what a caller gets.
func (e *entry[V]) outcome(src Source) (V, Source, error) {
	if e.absent {
		return e.value, src, e.err
	}
	return e.value, src, nil
}

// fresh tells whether no invalidation concerns what was read.
func (e *entry[V]) fresh(g *generations) bool {
	done := g.done.Load() + 1 // before the slots: what comes later moves it on
	if e.checked.Load() == done {
		return true
	}
	if g.newest(e.slots) > e.born {
		return false
	}
	e.checked.Store(done)
	return true
}

// outdated tells whether a caller must not be content with it: it was invalidated, and some invalidation ended after
// it was born and before the caller arrived. That one may have been of another tag (the slots only know their last), then the caller
// asks once more than necessary; what is born after the arrival is always good enough.
func (e *entry[V]) outdated(g *generations, arrived uint64) bool {
	return arrived > e.born && !e.fresh(g)
}

// schedule sets the times of an entry that was loaded at start, took cost and has ttl in all tiers together, of which
// at most l1 counted from now in this one.
func (e *entry[V]) schedule(o *FamilyOptions, now, expires time.Time, l1, cost time.Duration) {
	e.expires, e.cost = expires.UnixNano(), int64(cost)
	e.until = min(now.Add(l1).UnixNano(), e.expires)
	e.dead = e.until
	if e.err == nil {
		e.dead = e.until + int64(o.staleWindow())
	}
	e.soft.Store(min(e.until, e.earliest(o.Beta)))
}

// rest has the entry served without a second look for a pause, but not longer than window after its end.
func (e *entry[V]) rest(now int64, pause, window time.Duration) {
	e.soft.Store(min(now+int64(pause), e.until+int64(window)))
}

// earliest is from when on an early refresh is worth drawing lots for: before, one hit in 10^9 would win.
func (e *entry[V]) earliest(beta float64) int64 {
	if beta <= 0 || e.err != nil {
		return math.MaxInt64
	}
	return e.expires - int64(20*beta*float64(e.cost))
}

// early draws the lot: whether this hit is to refresh the value before its end.
func (e *entry[V]) early(now int64, beta float64) bool {
	return beta > 0 && e.err == nil && float64(now)-beta*float64(e.cost)*math.Log(rand.Float64()) >= float64(e.expires)
}

// within tells whether an expired entry may still be served, window after its end.
func (e *entry[V]) within(now int64, window time.Duration) bool {
	return e.err == nil && window > 0 && now < e.until+int64(window)
}
