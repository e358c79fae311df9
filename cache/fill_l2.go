package cache

import (
	"context"
	"time"
)

// lookup is what L2 has of one key, kept in L1: it may have expired within the stale window.
func (f *Family[V]) lookup(ctx context.Context, key string) (*entry[V], error) {
	found, err := f.fromL2(ctx, []string{key})
	return found[key], err
}

// fromL2 looks keys up and keeps what it finds in L1. An error means that L2 cannot be used now.
func (f *Family[V]) fromL2(ctx context.Context, keys []string) (map[string]*entry[V], error) {
	born, start := f.s.gens.now(), time.Now()
	full := make([]string, len(keys))
	for i, k := range keys {
		full[i] = f.redisKey(k)
	}
	recs, err := f.s.l2.fetch(ctx, full, f.schema, f.s.deaf(), f.o.staleWindow())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	f.answeredByL2(now.Sub(start))
	found := f.adopt(keys, recs, born, now)
	f.count.l2Miss.Add(uint64(len(keys) - len(found)))
	return found, nil
}

// adopt makes entries of records that were read after born and before now, and keeps them in L1.
func (f *Family[V]) adopt(keys []string, recs []*record, born uint64, now time.Time) map[string]*entry[V] {
	found := make(map[string]*entry[V], len(keys))
	for i, rec := range recs {
		if rec == nil {
			continue
		}
		if e := f.adoptOne(keys[i], rec, born, now); e != nil {
			found[keys[i]] = e
		}
	}
	return found
}

// adoptOne is adopt for one record; nil when it cannot be used.
func (f *Family[V]) adoptOne(key string, rec *record, born uint64, now time.Time) *entry[V] {
	e := f.decode(key, rec, born, now)
	if e == nil || !f.keepAt(key, e, now.UnixNano()) {
		return nil
	}
	f.s.hot.see(f.name, key, 1)
	switch {
	case now.UnixNano() >= e.expires: // counted by whoever serves it
	case e.err != nil:
		f.count.absent.l2.Add(1)
	default:
		f.count.l2.Add(1)
	}
	return e
}

// decode reads a record; nil when it is another program's, or another dictionary's.
func (f *Family[V]) decode(key string, rec *record, born uint64, now time.Time) *entry[V] {
	var none V
	e := newEntry(key, none, false, facts{born: born, tags: rec.tags, weight: f.weigh(rec.size(), rec.tags)}).placed(f.s.gens, f.name)
	f.count.bytesIn.Add(uint64(len(rec.payload)))
	if rec.absent {
		e.absent, e.err = true, f.absent(key)
	} else {
		data, err := f.s.packer.unpack(rec)
		if err != nil || rec.codec != f.codec.ID() || f.codec.Unmarshal(data, &e.value) != nil {
			f.count.unreadable.Add(1)
			return nil
		}
		if f.o.Size != nil {
			e.weight = f.weigh(f.o.Size(e.value), rec.tags)
		}
	}
	e.schedule(&f.o, now, rec.expires, f.jitter(f.o.L1TTL), rec.cost)
	return e
}

// toL2 stores what was loaded under grants, and gives these back.
func (f *Family[V]) toL2(ctx context.Context, grants []grant, keys []string, entries []*entry[V], data [][]byte) {
	var items []item
	for i, e := range entries {
		if !grants[i].ok() {
			continue
		}
		rec, ok := f.record(e, data[i])
		if !ok || !e.fresh(f.s.gens) {
			f.s.l2.release(ctx, grants[i])
			continue
		}
		items = append(items, item{key: f.redisKey(keys[i]), grant: grants[i], keep: f.keepFor(e), rec: rec})
	}
	if len(items) == 0 {
		return
	}
	// The answer is out: whether its callers are still there does not matter any more.
	refused, _ := f.s.l2.store(context.WithoutCancel(ctx), items) // a failure is counted by l2
	f.count.refused.l2.Add(uint64(refused))
}

// record is an entry as it goes to L2; false when it does not go there.
func (f *Family[V]) record(e *entry[V], data []byte) (record, bool) {
	rec := record{absent: e.err != nil, codec: f.codec.ID(), expires: time.Unix(0, e.expires), cost: time.Duration(e.cost), tags: e.tags}
	if rec.absent {
		return rec, true
	}
	if data == nil || len(data) > maxRecord {
		return rec, false
	}
	f.s.packer.pack(&rec, data, f.o.CompressAbove)
	f.count.bytesOut.Add(uint64(len(rec.payload)))
	f.count.bytesRaw.Add(uint64(len(data)))
	return rec, true
}

// keepFor is how long Redis has to keep an entry.
func (f *Family[V]) keepFor(e *entry[V]) time.Duration {
	d := time.Until(time.Unix(0, e.expires))
	if e.err == nil {
		d += f.o.staleWindow()
	}
	return max(d, time.Millisecond)
}
