package cache

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Loaded is one value of a batch with its tags. Absent says that there is no such thing, which is cached like a loader's
// absence; a key left out of the batch's result is not cached at all.
type Loaded[V any] struct {
	Value  V
	Tags   []string
	Absent bool
}

// batch is the outcome of a load of several keys.
type batch[V any] struct {
	entries map[string]*entry[V]
	source  Source
	err     error
}

// GetMany returns the values of keys: all that L1 lacks is asked of L2 in one go, and all that is still missing is loaded
// in one call. Absent keys are left out of the result. Source is the worst tier that was needed. Callers with the
// same keys missing share one load.
func (f *Family[V]) GetMany(ctx context.Context, keys []string,
	load func(ctx context.Context, missing []string) (map[string]Loaded[V], error)) (map[string]V, Source, error) {
	out := make(map[string]V, len(keys))
	source, arrived := L1, f.s.gens.now()
	missing := f.collect(out, keys)
	for len(missing) > 0 {
		r, joined, err := f.batches.do(ctx, setKey(missing), f.o.LoadTimeout, f.s.spawn, func(ctx context.Context) (batch[V], func()) {
			return f.workMany(ctx, missing, load)
		})
		if err = errors.Join(err, r.err); err != nil {
			return nil, Load, err
		}
		if joined {
			f.count.joined.Add(1)
		}
		source = max(source, r.source)
		var again []string
		for _, k := range missing {
			switch e := r.entries[k]; {
			case e == nil || e.err != nil && !e.outdated(f.s.gens, arrived):
			case e.outdated(f.s.gens, arrived):
				again = append(again, k)
			default:
				out[k] = e.value
			}
		}
		missing = again
	}
	return out, source, nil
}

// collect takes what L1 has and returns the other keys, sorted and distinct.
func (f *Family[V]) collect(out map[string]V, keys []string) (missing []string) {
	for _, k := range keys {
		if e := f.hit(k); e == nil {
			missing = append(missing, k)
		} else {
			f.countHit(e)
			if e.err == nil {
				out[k] = e.value
			}
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// setKey names a set of keys unmistakably.
func setKey(keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(strconv.Itoa(len(k)))
		b.WriteByte(':')
		b.WriteString(k)
	}
	return b.String()
}

func (f *Family[V]) workMany(ctx context.Context, keys []string,
	load func(ctx context.Context, missing []string) (map[string]Loaded[V], error)) (batch[V], func()) {
	r := batch[V]{entries: map[string]*entry[V]{}, source: L1}
	ask := make([]string, 0, len(keys))
	for _, k := range keys {
		if e := f.hit(k); e != nil {
			r.entries[k] = e
		} else {
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return r, nil
	}
	found, began := f.fromL2(ctx, ask)
	if len(found) > 0 {
		r.source = L2
	}
	missing := ask[:0]
	for _, k := range ask {
		if e := found[k]; e != nil {
			r.entries[k] = e
		} else {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return r, nil
	}
	r.source = Load
	f.s.beforeLoad(ctx)
	born, start := f.s.gens.now(), time.Now()
	values, err := load(ctx, missing)
	f.count.loaded(start, err != nil)
	if err != nil {
		r.err = err
		return r, nil
	}
	return r, f.keepMany(ctx, r, values, missing, born, start, began)
}

// keepMany puts a batch into L1 and returns what writes it to L2.
func (f *Family[V]) keepMany(ctx context.Context, r batch[V], values map[string]Loaded[V], keys []string,
	born uint64, start time.Time, began moment) func() {
	var names []string
	var entries []*entry[V]
	var data [][]byte
	for _, k := range keys {
		l, ok := values[k]
		if !ok {
			continue
		}
		var absence error
		if l.Absent {
			absence = f.absent(k)
		}
		e, bytes := f.entry(l.Value, absence, l.Tags, born, start)
		r.entries[k] = e
		if f.keep(k, e) {
			names, entries, data = append(names, k), append(entries, e), append(data, bytes)
		}
	}
	if began.epoch == "" || len(names) == 0 {
		return nil
	}
	return func() { f.toL2(ctx, began, names, entries, data) }
}
