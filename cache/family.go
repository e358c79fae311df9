package cache

import (
	"fmt"
	"reflect"
	"strconv"
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
	schema  string // of its values in Redis
	field   string // of its values in Redis
	codec   Codec
	o       FamilyOptions
	l1      *otter.Cache[string, *entry[V]]
	front   *front[V]
	victims *victims[V]
	clock   *otter.CoarseClock
	flights group[outcome[V]]
	reloads group[outcome[V]] // of Refresh: whoever gets a key is not made to wait for them
	gutter  gutter
	count   counters
}

// New adds a family to a Store. The name must be its own: values of two families of one name would mix in Redis.
func New[V any](s *Store, name string, o FamilyOptions) *Family[V] {
	f := &Family[V]{s: s, name: name, o: o.withDefaults(), clock: s.clock, codec: codecFor[V](s.o.Codec)}
	f.prefix = s.o.Prefix + "v:" + name + ":"
	f.schema = strconv.Itoa(o.Schema) + "." + fingerprint(reflect.TypeFor[V]())
	f.field = valueField(f.schema)
	if f.o.L1TTL < exactBelow {
		f.clock = &otter.CoarseClock{} // not running: it tells the exact time
	}
	f.gutter.limit(f.o.Gutter)
	f.memory(nil, f.o.L1Bytes/frontShare)
	s.add(f)
	return f
}

// memory makes L1, with places for so many in front of it. Its policy works in goroutines of its own, unless an executor is given.
func (f *Family[V]) memory(executor func(func()), places uint64) {
	f.front = newFront[V](places)
	f.victims = newVictims[V](f.o.L1Bytes / victimShare)
	f.l1 = otter.Must(&otter.Options[string, *entry[V]]{
		MaximumWeight: f.o.L1Bytes - f.victims.max,
		Weigher:       func(_ string, e *entry[V]) uint32 { return e.weight },
		Clock:         f.clock,
		Executor:      executor,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry[V]]) time.Duration {
			return time.Until(time.Unix(0, e.Value.dead))
		}),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *entry[V]]) {
			f.front.drop(e.Value)
			if e.Cause == otter.CauseOverflow {
				f.count.evicted.Add(f.victims.put(e.Key, e.Value))
			}
		},
	})
}

// Peek returns the value if it is in L1, without a loader and without an allocation. An absence counts as not there, and so
// does a value whose end is so near that Get may want to refresh it.
func (f *Family[V]) Peek(key string) (v V, ok bool) {
	e := f.hit(key)
	if e == nil || e.absent {
		return v, false
	}
	f.countHit(e)
	return e.value, true
}

// held is the entry of key in L1 that no invalidation concerns, whatever its age, or nil; nil as well when nobody can
// tell.
func (f *Family[V]) held(key string) *entry[V] {
	e := f.front.get(key)
	if e == nil {
		if e = f.below(key); e == nil {
			return nil
		}
	}
	if !e.fresh(f.s.gens) || !f.o.AnyAge && f.s.maybeDeaf() {
		return nil
	}
	return e
}

// below is what L1 has of key, out of date or not.
func (f *Family[V]) below(key string) *entry[V] {
	if e, ok := f.l1.GetIfPresent(key); ok {
		return e
	}
	return f.back(key)
}

// back returns to L1 what was pushed out a moment ago; nil if key was not.
func (f *Family[V]) back(key string) *entry[V] {
	e := f.victims.take(key)
	if e == nil || time.Now().UnixNano() >= e.dead || !e.fresh(f.s.gens) {
		return nil
	}
	e.state.And(^gone)
	now, ours := f.l1.SetIfAbsent(key, e)
	if !ours { // a newer one has come meanwhile
		f.front.drop(e)
	}
	return now
}

// hit is the entry of key in L1 that needs no second look, or nil.
func (f *Family[V]) hit(key string) *entry[V] {
	e := f.held(key)
	if e == nil || f.clock.NowNano() >= e.soft.Load() {
		return nil
	}
	return e
}

// current is an entry of key in L1 whose time has not come, or nil.
func (f *Family[V]) current(key string) *entry[V] {
	e := f.below(key)
	if e == nil || f.clock.NowNano() >= e.until || !e.fresh(f.s.gens) || !f.o.AnyAge && f.s.deaf() {
		return nil
	}
	return e
}

// shortestLife is, in nanoseconds, how long an entry must have to live to be kept: with less it would end before anybody could ask for it.
const shortestLife = 1000

// keep puts an entry into L1 if nothing has invalidated it since it was born.
func (f *Family[V]) keep(key string, e *entry[V]) bool {
	return f.keepAt(key, e, time.Now().UnixNano())
}

func (f *Family[V]) keepAt(key string, e *entry[V], now int64) bool {
	if !e.fresh(f.s.gens) {
		f.count.refused.l1.Add(1)
		return false
	}
	if now+shortestLife < e.dead {
		f.l1.Set(key, e)
	}
	return true
}

// absent makes the error of an absence whose own error is not at hand.
func (f *Family[V]) absent(key string) error {
	if f.o.Absent != nil {
		return f.o.Absent(key)
	}
	return fmt.Errorf("%w: %s %q", ErrNotFound, f.name, key)
}

func (f *Family[V]) redisKey(key string) string { return f.prefix + key }

func (f *Family[V]) clear() {
	f.l1.InvalidateAll()
	f.victims.clear()
}

func (f *Family[V]) close() { f.l1.StopAllGoroutines() }
