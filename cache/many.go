package cache

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Loaded is one value of a batch with its tags. Absent says that there is no such thing, which is cached like a loader's
// absence; a key left out of the batch's result is not cached at all.
type Loaded[V any] struct {
	Value  V
	Tags   []string
	Absent bool
}

// manyLoader reads several values from the source.
type manyLoader[V any] = func(ctx context.Context, missing []string) (map[string]Loaded[V], error)

// GetMany returns the values of keys: all that L1 lacks is asked of L2 in one go, and all that is still missing is loaded
// in one call; only for keys that another process is loading, and does not finish, there is a second one. What somebody in this
// process is loading already, by Get or GetMany, is waited for. Absent keys are left out of the result. Source is the worst tier
// that was needed. When a load fails, all of it fails, unless everything that is missing may be served expired.
func (f *Family[V]) GetMany(ctx context.Context, keys []string,
	load func(ctx context.Context, missing []string) (map[string]Loaded[V], error)) (map[string]V, Source, error) {
	a := answers[V]{f: f, out: make(map[string]V, len(keys)), source: L1, arrived: f.s.gens.now()}
	missing, aging := a.collect(keys)
	if len(aging) > 0 {
		f.refreshMany(ctx, aging, load)
	}
	for len(missing) > 0 {
		got, err := f.flights.many(ctx, missing, waits{f.o.LoadTimeout, f.patience(missing)}, f.s.spawn,
			func(mine []string) work[outcome[V]] { return f.workMany(mine, load, nil) })
		if missing, err = a.take(missing, got, err); err != nil {
			return nil, Load, err
		}
	}
	return a.out, a.source, nil
}

// answers gathers what one caller of GetMany gets.
type answers[V any] struct {
	f       *Family[V]
	out     map[string]V
	source  Source
	arrived uint64
}

// collect takes what L1 has and returns the other keys, sorted and distinct, and those whose values should be refreshed.
func (a *answers[V]) collect(keys []string) (missing []string, aging map[string]*entry[V]) {
	f := a.f
	for _, k := range keys {
		e := f.held(k)
		if e == nil {
			f.count.why(f.lost(k))
			missing = append(missing, k)
			continue
		}
		serve, renew := true, false
		if f.clock.NowNano() < e.soft.Load() {
			f.countHit(e)
		} else {
			serve, renew = f.look(e)
		}
		if renew {
			if aging == nil {
				aging = map[string]*entry[V]{}
			}
			aging[k] = e
		}
		switch {
		case !serve:
			missing = append(missing, k)
		case e.err == nil:
			a.out[k] = e.value
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), aging
}

// patience is how long a caller waits for keys; shorter when there is something expired for all of them.
func (f *Family[V]) patience(keys []string) time.Duration {
	now := time.Now().UnixNano()
	if f.o.SoftTimeout <= 0 || slices.ContainsFunc(keys, func(k string) bool { return f.expired(k, now) == nil }) {
		return f.o.HardTimeout
	}
	return f.o.SoftTimeout
}

// expired is what L1 has of key and may serve when a load fails, or nil.
func (f *Family[V]) expired(key string, now int64) *entry[V] {
	if e := f.held(key); e != nil && e.within(now, f.o.FailSafe) {
		return e
	}
	return nil
}

// take sorts what became of keys, and returns those to ask for again.
func (a *answers[V]) take(keys []string, got map[string]sharedResult[outcome[V]], err error) (again []string, _ error) {
	var failed []string
	for _, k := range keys {
		r, ok := got[k]
		e := r.result.entry
		if r.joined {
			a.f.count.joined.Add(1)
		}
		switch {
		case !ok:
			failed = append(failed, k)
		case r.result.failed:
			failed, err = append(failed, k), e.err
		case e == nil && !r.joined: // the loader left it out
			a.source = Load
		case e == nil || e.outdated(a.f.s.gens, a.arrived):
			again = append(again, k)
		default:
			a.source = max(a.source, r.result.source)
			if e.err == nil {
				a.out[k] = e.value
			}
		}
	}
	if len(failed) > 0 && (errors.Is(err, context.Canceled) || !a.rescue(failed)) {
		return nil, err
	}
	return again, nil
}

// rescue serves expired values when loads failed or take too long; all of them, or none.
func (a *answers[V]) rescue(failed []string) bool {
	now := time.Now().UnixNano()
	for _, k := range failed {
		e := a.f.expired(k, now)
		if e == nil {
			return false
		}
		e.rest(now, failSafePause, a.f.o.FailSafe)
		a.out[k] = e.value
	}
	a.f.count.failsafe.Add(uint64(len(failed)))
	return true
}

// refreshMany replaces values in the background, unless somebody is at it.
func (f *Family[V]) refreshMany(ctx context.Context, aging map[string]*entry[V], load manyLoader[V]) {
	var keys []string
	for k, e := range aging {
		if e.claim() {
			keys = append(keys, k)
		}
	}
	mine := f.flights.start(ctx, keys, f.o.LoadTimeout, f.s.spawn, func(mine []string) work[outcome[V]] {
		return f.workMany(mine, load, aging)
	})
	for _, k := range keys {
		if !slices.Contains(mine, k) {
			aging[k].unclaim()
		}
	}
}
