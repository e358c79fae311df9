package cache

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
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

// manyLoader reads several values from the source.
type manyLoader[V any] = func(ctx context.Context, missing []string) (map[string]Loaded[V], error)

// GetMany returns the values of keys: all that L1 lacks is asked of L2 in one go, and all that is still missing is loaded
// in one call; only for keys that another process is loading, and does not finish, there is a second one. Absent keys are left
// out of the result. Source is the worst tier that was needed. Callers with the same keys missing share one load.
func (f *Family[V]) GetMany(ctx context.Context, keys []string,
	load func(ctx context.Context, missing []string) (map[string]Loaded[V], error)) (map[string]V, Source, error) {
	out := make(map[string]V, len(keys))
	source, arrived := L1, f.s.gens.now()
	missing := f.collect(out, keys)
	for len(missing) > 0 {
		r, joined, err := f.batches.do(ctx, setKey(missing), waits{f.o.LoadTimeout, f.o.HardTimeout}, f.s.spawn, nil, func(ctx context.Context) (batch[V], func()) {
			return f.workMany(ctx, missing, load)
		})
		if err = errors.Join(err, r.err); err != nil {
			if f.rescue(out, missing) {
				return out, source, nil
			}
			return nil, Load, err
		}
		if joined {
			f.count.joined.Add(uint64(len(missing)))
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
		if e := f.current(k); e == nil {
			f.count.why(f.lost(k))
			missing = append(missing, k)
		} else {
			f.countHit(k, e)
			if e.err == nil {
				out[k] = e.value
			}
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// rescue serves expired values when a batch failed; all that are missing, or none.
func (f *Family[V]) rescue(out map[string]V, missing []string) bool {
	now := f.clock.NowNano()
	for _, k := range missing {
		e := f.held(k)
		if e == nil || !e.within(now, f.o.FailSafe) {
			return false
		}
		out[k] = e.value
	}
	f.count.failsafe.Add(uint64(len(missing)))
	return true
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

func (f *Family[V]) workMany(ctx context.Context, keys []string, load manyLoader[V]) (batch[V], func()) {
	r := batch[V]{entries: map[string]*entry[V]{}, source: L1}
	ask := make([]string, 0, len(keys))
	for _, k := range keys {
		if e := f.current(k); e != nil {
			r.entries[k] = e
		} else {
			ask = append(ask, k)
		}
	}
	var grants map[string]grant
	if f.shared() && len(ask) > 0 {
		if found, err := f.fromL2(ctx, ask); err == nil {
			if ask = r.take(f, ask, found); len(ask) > 0 {
				grants = f.grants(ctx, ask)
			}
		}
	}
	if len(ask) == 0 {
		return r, nil
	}
	return f.loadMany(ctx, r, ask, grants, load)
}

// take moves what was found, and has not expired, into the batch and returns the other keys.
func (r *batch[V]) take(f *Family[V], keys []string, found map[string]*entry[V]) (missing []string) {
	now := f.clock.NowNano()
	for _, k := range keys {
		if e := found[k]; e != nil && now < e.expires {
			r.entries[k] = e
			r.source = max(r.source, L2)
		} else {
			missing = append(missing, k)
		}
	}
	return missing
}
