package cache

import (
	"context"
	"maps"
	"slices"
	"time"
)

// read calls the loader, keeps what it read and answers it; false when it failed. What is to go to L2 is left to flush.
func (b *batch[V]) read(ctx context.Context, keys []string, grants map[string]grant) (ok bool) {
	if len(keys) == 0 {
		return true
	}
	f := b.f
	held := slices.Collect(maps.Values(grants))
	values, born, start, err := b.call(ctx, keys, held)
	if err != nil {
		if len(held) > 0 {
			f.s.l2.release(ctx, held...)
		}
		for _, k := range keys {
			r, _ := f.failure(&entry[V]{absent: true, facts: facts{err: err, born: born}}, b.old[k])
			b.answer(k, r)
		}
		return false
	}
	b.keep(ctx, keys, values, grants, born, start)
	return true
}

// call is a turn in the gutter and the load itself, while the leases are kept alive.
func (b *batch[V]) call(ctx context.Context, keys []string, held []grant) (values map[string]Loaded[V], born uint64, start time.Time, err error) {
	f := b.f
	leave, err := f.turn(ctx)
	if err != nil {
		return nil, f.s.gens.now(), start, err
	}
	defer leave()
	if len(held) > 0 {
		defer f.s.l2.renew(held...)()
	}
	f.s.beforeLoad(ctx)
	born, start = f.s.gens.now(), time.Now()
	values, err = b.load(ctx, keys)
	f.loaded(start, len(keys), err != nil)
	return values, born, start, err
}

// keep puts a batch into L1 and answers it.
func (b *batch[V]) keep(ctx context.Context, keys []string, values map[string]Loaded[V], grants map[string]grant, born uint64, start time.Time) {
	f := b.f
	var names []string
	var entries []*entry[V]
	var data [][]byte
	var granted, unused []grant
	for _, k := range keys {
		l, ok := values[k]
		if !ok {
			unused = append(unused, grants[k])
			continue
		}
		var absence error
		if l.Absent {
			absence = f.absent(k)
		}
		e, bytes := f.entry(k, l.Value, absence, l.Tags, born, start)
		if f.keep(k, e) {
			names, entries, data, granted = append(names, k), append(entries, e), append(data, bytes), append(granted, grants[k])
		} else {
			unused = append(unused, grants[k])
		}
		f.s.hot.see(f.name, k, 1)
		b.answer(k, outcome[V]{entry: e, source: Load})
	}
	if len(grants) > 0 {
		b.write = append(b.write, func() {
			f.s.l2.release(ctx, unused...)
			f.toL2(ctx, granted, names, entries, data)
		})
	}
}

// flush puts into L2 what was loaded until now.
func (b *batch[V]) flush() {
	for _, fn := range b.write {
		fn()
	}
	b.write = nil
}
