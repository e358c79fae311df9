package cache

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Source is the tier that answered.
type Source uint8

// The tiers, best first. Load includes waiting for somebody else's load.
const (
	L1 Source = iota + 1
	L2
	Load
)

// String is "l1", "l2" or "load".
func (s Source) String() string {
	switch s {
	case L1:
		return "l1"
	case L2:
		return "l2"
	case Load:
		return "load"
	}
	return "none"
}

// Family is a set of keys with values of one type. It is safe for concurrent use; it lives as long as its Store.
type Family[V any] struct {
	s       *Store
	name    string
	prefix  string // of its keys in Redis
	o       FamilyOptions
	l1      *otter.Cache[string, *entry[V]]
	flights group[outcome[V]]
	batches group[batch[V]]
	count   counters
}

// entry is a value in L1, or a cached absence (err).
type entry[V any] struct {
	value  V
	err    error
	born   uint64 // see generations
	slots  []uint32
	tags   []string
	until  time.Time
	weight uint32

	checked atomic.Uint64 // generations.done when it was last found fresh, plus 1
}

// New adds a family to a Store. The name must be its own: values of two families of one name would mix in Redis.
func New[V any](s *Store, name string, o FamilyOptions) *Family[V] {
	f := &Family[V]{s: s, name: name, o: o.withDefaults()}
	f.prefix = s.o.Prefix + name + ":" + strconv.Itoa(o.Schema) + ":"
	f.l1 = otter.Must(&otter.Options[string, *entry[V]]{
		MaximumWeight: f.o.L1Bytes,
		Weigher:       func(_ string, e *entry[V]) uint32 { return e.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry[V]]) time.Duration {
			return time.Until(e.Value.until)
		}),
	})
	s.add(f)
	return f
}

// Peek returns the value if it is in L1, without a loader and without an allocation. An absence counts as not there.
func (f *Family[V]) Peek(key string) (v V, ok bool) {
	e := f.hit(key)
	if e == nil || e.err != nil {
		return v, false
	}
	f.count.l1.add()
	return e.value, true
}

// Get returns the value of key from the first tier that has it. load returns the value and its tags; an error may come with
// tags too, for an absence. load may run in another goroutine, and its context outlives this caller's as long as others
// wait. The error is the loader's, that of ctx, or what Absent made.
func (f *Family[V]) Get(ctx context.Context, key string, load func(ctx context.Context) (V, []string, error)) (V, Source, error) {
	if e := f.hit(key); e != nil {
		f.countHit(e)
		return e.value, L1, e.err
	}
	return f.miss(ctx, key, load)
}

func (f *Family[V]) miss(ctx context.Context, key string, load func(ctx context.Context) (V, []string, error)) (v V, _ Source, _ error) {
	arrived := f.s.gens.now()
	for {
		r, joined, err := f.flights.do(ctx, key, f.o.LoadTimeout, f.s.spawn, func(ctx context.Context) (outcome[V], func()) {
			return f.work(ctx, key, load)
		})
		if err != nil {
			return v, Load, err
		}
		if r.entry.outdated(f.s.gens, arrived) {
			continue // a load that we joined was overtaken by an invalidation that ended before we came
		}
		if joined {
			f.count.joined.Add(1)
		}
		return r.entry.value, r.source, r.entry.err
	}
}

// hit is the fresh entry of key in L1, or nil; nil as well when nobody can tell whether it is fresh.
func (f *Family[V]) hit(key string) *entry[V] {
	e, ok := f.l1.GetIfPresent(key)
	if !ok || !e.fresh(f.s.gens) || !f.o.AnyAge && f.s.deaf() {
		return nil
	}
	return e
}

func (f *Family[V]) countHit(e *entry[V]) {
	if e.err != nil {
		f.count.negative.Add(1)
		return
	}
	f.count.l1.add()
}

// keep puts an entry into L1 if nothing has invalidated it since it was born.
func (f *Family[V]) keep(key string, e *entry[V]) bool {
	if !e.fresh(f.s.gens) {
		f.count.refused.Add(1)
		return false
	}
	if time.Now().Before(e.until) {
		f.l1.Set(key, e)
	}
	return true
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

// absent makes the error of an absence whose own error is not at hand.
func (f *Family[V]) absent(key string) error {
	if f.o.Absent != nil {
		return f.o.Absent(key)
	}
	return fmt.Errorf("%w: %s %q", ErrNotFound, f.name, key)
}

func (f *Family[V]) clear() { f.l1.InvalidateAll() }

func (f *Family[V]) close() { f.l1.StopAllGoroutines() }
