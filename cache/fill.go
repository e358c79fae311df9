package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// outcome of a load of one key. entry.err may be an error that is not cached.
type outcome[V any] struct {
	entry  *entry[V]
	source Source
}

// work answers a miss: from L2, else by load. Writing to L2 is left for after the answer.
func (f *Family[V]) work(ctx context.Context, key string, load func(ctx context.Context) (V, []string, error)) (outcome[V], func()) {
	if e := f.hit(key); e != nil { // somebody's load ended between our look and our turn
		f.countHit(e)
		return outcome[V]{e, L1}, nil
	}
	found, began := f.fromL2(ctx, []string{key})
	if e := found[key]; e != nil {
		return outcome[V]{e, L2}, nil
	}
	f.s.beforeLoad(ctx)
	born, start := f.s.gens.now(), time.Now()
	v, tags, err := load(ctx)
	f.count.loaded(start, err != nil && !f.isAbsence(err))
	if err != nil && !f.isAbsence(err) {
		return outcome[V]{&entry[V]{err: err, born: born}, Load}, nil
	}
	e, data := f.entry(v, err, tags, born, start)
	kept := f.keep(key, e)
	if !kept || began.epoch == "" {
		return outcome[V]{e, Load}, nil
	}
	return outcome[V]{e, Load}, func() { f.toL2(ctx, began, []string{key}, []*entry[V]{e}, [][]byte{data}) }
}

func (f *Family[V]) isAbsence(err error) bool { return f.o.NotFound != nil && f.o.NotFound(err) }

// entryOverhead is about what an entry costs in L1 beyond its value.
const entryOverhead = 160

// entry makes an entry of a load and the bytes for L2; none when the value cannot be encoded or must not leave the process.
func (f *Family[V]) entry(v V, absence error, tags []string, born uint64, start time.Time) (*entry[V], []byte) {
	e := &entry[V]{value: v, err: absence, born: born, slots: f.s.gens.slotsOf(tags), tags: tags}
	ttl := f.o.L1TTL
	if absence != nil {
		ttl = min(ttl, f.o.NegativeTTL)
	}
	e.until = start.Add(f.jitter(ttl))
	var data []byte
	size := 0
	if absence == nil {
		if !f.o.L1Only || f.o.Size == nil {
			var err error
			if data, err = f.s.o.Codec.Marshal(v); err != nil {
				f.s.o.Logger.Error("value not encodable: kept in memory only", "family", f.name, "error", err)
			}
			size = len(data)
		}
		if f.o.Size != nil {
			size = f.o.Size(v)
		}
	}
	e.weight = f.weigh(size, tags)
	return e, data
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

// fromL2 looks keys up and keeps what it finds in L1. The moment is that of the clock before a load of the rest;
// zero when L2 cannot be used.
func (f *Family[V]) fromL2(ctx context.Context, keys []string) (map[string]*entry[V], moment) {
	if f.s.l2 == nil || f.o.L1Only {
		return nil, moment{}
	}
	born := f.s.gens.now()
	full := make([]string, len(keys))
	for i, k := range keys {
		full[i] = f.prefix + k
	}
	recs, began, err := f.s.l2.fetch(ctx, full)
	if err != nil {
		return nil, moment{}
	}
	found := map[string]*entry[V]{}
	for i, rec := range recs {
		if rec == nil {
			continue
		}
		if e := f.decode(keys[i], rec, born); e != nil && f.keep(keys[i], e) {
			found[keys[i]] = e
			if e.err != nil {
				f.count.negative.Add(1)
			} else {
				f.count.l2.Add(1)
			}
		}
	}
	return found, began
}

func (f *Family[V]) decode(key string, rec *record, born uint64) *entry[V] {
	e := &entry[V]{born: born, slots: f.s.gens.slotsOf(rec.tags), tags: rec.tags, weight: f.weigh(len(rec.payload), rec.tags)}
	e.until = time.Now().Add(f.jitter(f.o.L1TTL))
	if rec.expires.Before(e.until) {
		e.until = rec.expires
	}
	if rec.absent {
		e.err = f.absent(key)
		return e
	}
	if rec.codec != f.s.o.Codec.ID() || f.s.o.Codec.Unmarshal(rec.payload, &e.value) != nil {
		return nil
	}
	if f.o.Size != nil {
		e.weight = f.weigh(f.o.Size(e.value), rec.tags)
	}
	return e
}

// toL2 stores what was loaded from the moment began.
func (f *Family[V]) toL2(ctx context.Context, began moment, keys []string, entries []*entry[V], data [][]byte) {
	var items []item
	for i, e := range entries {
		absent := e.err != nil
		if !absent && data[i] == nil || len(data[i]) > maxRecord || !e.fresh(f.s.gens) {
			continue
		}
		ttl := f.o.TTL
		if absent {
			ttl = min(ttl, f.o.NegativeTTL)
		}
		ttl = max(f.jitter(ttl), time.Millisecond)
		items = append(items, item{key: f.prefix + keys[i], ttl: ttl, rec: record{absent: absent, codec: f.s.o.Codec.ID(),
			expires: time.Now().Add(ttl), tags: e.tags, payload: data[i]}})
	}
	if len(items) == 0 {
		return
	}
	// The answer is out: whether its callers are still there does not matter any more.
	refused, _ := f.s.l2.store(context.WithoutCancel(ctx), began, items) // a failure is counted by l2
	f.count.refused.Add(uint64(refused))
}
