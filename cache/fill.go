package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// outcome of a load of one key. entry.err may be an error that is not cached; then failed is set. No entry at all means
// that somebody else is at it.
type outcome[V any] struct {
	entry  *entry[V]
	source Source
	failed bool
}

// glance is what a first look into L2 says.
type glance uint8

const (
	glanceUnsure glance = iota // look closely
	glanceFound
	glanceEmpty  // there is nothing
	glanceBroken // Redis does not answer
)

// quick answers a miss if that takes one command to Redis, or none. counted says that it is known why L1 has nothing.
func (f *Family[V]) quick(key string, counted bool) (outcome[V], glance) {
	born := f.s.gens.now() // before the look into L1: what is set from then on is not there yet, and newer than what Redis says
	e, why := f.again(key)
	if e != nil { // somebody's load ended between our look and our turn
		f.countHit(e)
		return outcome[V]{entry: e, source: L1}, glanceFound
	}
	if !counted {
		f.count.why(why)
	}
	if !f.shared() || f.s.deaf() {
		return outcome[V]{}, glanceUnsure
	}
	start := time.Now()
	seen, err := f.s.l2.peek(f.redisKey(key), f.field, start)
	switch {
	case err != nil:
		return outcome[V]{}, glanceBroken
	case !seen.there:
		f.count.l2Miss.Add(1)
		f.answeredByL2(seen.at.Sub(start))
		return outcome[V]{}, glanceEmpty
	case !start.Before(seen.expires) || !seen.valid:
		return outcome[V]{}, glanceUnsure
	}
	f.answeredByL2(seen.at.Sub(start))
	if e := f.adoptOne(key, &seen.record, born, seen.at); e != nil {
		return outcome[V]{entry: e, source: L2}, glanceFound
	}
	return outcome[V]{}, glanceUnsure
}

// work answers a miss: from L2, else by load. With aging it replaces that value, and leaves it to others if they have begun.
// Writing to L2 is left for after the answer.
func (f *Family[V]) work(ctx context.Context, key string, load loader[V], first glance, aging *entry[V]) (outcome[V], func()) {
	if !f.shared() || first == glanceBroken {
		return f.loadAlone(ctx, key, load, nil)
	}
	var found *entry[V]
	if first != glanceEmpty {
		var err error
		if found, err = f.lookup(ctx, key); err != nil {
			return f.loadAlone(ctx, key, load, nil)
		}
	}
	var old *entry[V]
	if found != nil {
		switch now := time.Now().UnixNano(); {
		case now < found.expires && (aging == nil || found.expires > aging.expires):
			return outcome[V]{entry: found, source: L2}, nil
		case aging != nil:
		case found.within(now, f.o.StaleFor):
			f.count.stale.l2.Add(1)
			return outcome[V]{entry: found, source: L2}, func() { f.refresh(ctx, key, found, load) }
		case found.within(now, f.o.FailSafe):
			old = found
		}
	}
	return f.loadLeased(ctx, key, load, old, aging)
}

// shared tells whether the family uses Redis.
func (f *Family[V]) shared() bool { return f.s.l2 != nil && !f.o.L1Only }

// loadAlone loads without regard to other processes, and without L2.
func (f *Family[V]) loadAlone(ctx context.Context, key string, load loader[V], old *entry[V]) (outcome[V], func()) {
	e, _, err := f.read(ctx, key, load)
	if err != nil {
		return f.failure(e, old)
	}
	f.keep(key, e)
	return outcome[V]{entry: e, source: Load}, nil
}

// failure is the outcome of a load that failed: something expired from L2 if there is any, else the error.
func (f *Family[V]) failure(e, old *entry[V]) (outcome[V], func()) {
	if old != nil && old.fresh(f.s.gens) {
		f.count.failsafe.Add(1)
		old.rest(time.Now().UnixNano(), failSafePause, f.o.FailSafe)
		return outcome[V]{entry: old, source: L2}, nil
	}
	return outcome[V]{entry: e, source: Load, failed: true}, nil
}

// loadLeased loads while no other process does. It waits for one that does, unless this is a refresh.
func (f *Family[V]) loadLeased(ctx context.Context, key string, load loader[V], old, aging *entry[V]) (outcome[V], func()) {
	g, found := f.lease(ctx, key, old, aging)
	switch {
	case found != nil:
		return outcome[V]{entry: found, source: L2}, nil
	case aging != nil && g.ok() && !g.owned:
		return outcome[V]{}, nil
	}
	stop := f.s.l2.renew(g)
	e, data, err := f.read(ctx, key, load)
	stop()
	if err != nil {
		f.s.l2.release(ctx, g)
		return f.failure(e, old)
	}
	if !f.keep(key, e) || !g.ok() {
		return outcome[V]{entry: e, source: Load}, func() { f.s.l2.release(ctx, g) }
	}
	return outcome[V]{entry: e, source: Load}, func() { f.toL2(ctx, []grant{g}, []string{key}, []*entry[V]{e}, [][]byte{data}) }
}

// read calls the loader. The error is one that is not cached; the entry carries it.
func (f *Family[V]) read(ctx context.Context, key string, load loader[V]) (*entry[V], []byte, error) {
	leave, err := f.turn(ctx)
	if err != nil {
		return &entry[V]{absent: true, facts: facts{err: err, born: f.s.gens.now()}}, nil, err
	}
	defer leave()
	f.s.beforeLoad(ctx)
	born, start := f.s.gens.now(), time.Now()
	v, tags, err := load(ctx)
	absence := err != nil && f.isAbsence(err)
	f.loaded(start, 1, err != nil && !absence)
	f.s.hot.see(f.name, key, 1)
	if err != nil && !absence {
		return &entry[V]{absent: true, facts: facts{err: err, born: born}}, nil, err
	}
	e, data := f.entry(key, v, err, tags, born, start)
	return e, data, nil
}

// turn waits in the gutter while Redis should help and does not.
func (f *Family[V]) turn(ctx context.Context) (leave func(), err error) {
	if !f.shared() || f.s.l2.helps() {
		return func() {}, nil
	}
	f.count.gutter.Add(1)
	return f.gutter.enter(ctx)
}

func (f *Family[V]) isAbsence(err error) bool { return f.o.NotFound != nil && f.o.NotFound(err) }

// entryOverhead is about what an entry costs in L1 beyond its value.
const entryOverhead = 200

// entry makes an entry of a load and the bytes for L2; none when the value cannot be encoded or must not leave the process.
func (f *Family[V]) entry(key string, v V, absence error, tags []string, born uint64, start time.Time) (*entry[V], []byte) {
	e := newEntry(key, v, absence != nil, facts{err: absence, born: born, tags: tags}).placed(f.s.gens, f.name)
	ttl, l1 := f.o.TTL, f.o.L1TTL
	if absence != nil {
		ttl, l1 = min(ttl, f.o.NegativeTTL), min(l1, f.o.NegativeTTL)
	}
	e.schedule(&f.o, start, start.Add(f.jitter(ttl)), f.jitter(l1), time.Since(start))
	var data []byte
	size := 0
	if absence == nil {
		data, size = f.encode(v)
	}
	e.weight = f.weigh(size, tags)
	return e, data
}

// encode returns the bytes for L2, if there are to be any, and how much memory the value takes.
func (f *Family[V]) encode(v V) (data []byte, size int) {
	if !f.o.L1Only || f.o.Size == nil {
		var err error
		if data, err = f.codec.Marshal(v); err != nil {
			f.s.o.Logger.Error("value not encodable: kept in memory only", "family", f.name, "error", err)
		}
		size = len(data)
	}
	if f.o.Size != nil {
		size = f.o.Size(v)
	}
	return data, size
}

func (f *Family[V]) weigh(size int, tags []string) uint32 {
	n := size + entryOverhead
	for _, t := range tags {
		n += len(t) + 20
	}
	return uint32(min(max(n, 1), 1<<31))
}

func (f *Family[V]) jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*f.o.Jitter*float64(d))
}
