package cache

import (
	"context"
	"maps"
	"slices"
	"time"
)

// batch is the work for several keys.
type batch[V any] struct {
	f      *Family[V]
	load   manyLoader[V]
	answer func(key string, r outcome[V])
	aging  map[string]*entry[V] // what is to be replaced; nil: nothing is there
	old    map[string]*entry[V] // what to serve when the load fails
	stale  map[string]*entry[V] // served from L2 although expired
	write  []func()             // what puts loads into L2
}

// workMany answers keys: from L2, else by one load. With aging it replaces values that are there, and leaves to others what they
// have begun.
func (f *Family[V]) workMany(keys []string, load manyLoader[V], aging map[string]*entry[V]) work[outcome[V]] {
	return func(ctx context.Context, answer func(string, outcome[V])) func() {
		b := &batch[V]{f: f, load: load, answer: answer, aging: aging, old: map[string]*entry[V]{}, stale: map[string]*entry[V]{}}
		if aging != nil {
			defer f.s.logPanic(f.name)
			b.answer = func(k string, r outcome[V]) { f.refreshed(k, aging[k], r); answer(k, r) }
			defer func() {
				for _, k := range keys {
					f.refreshed(k, aging[k], outcome[V]{})
				}
			}()
		}
		b.run(ctx, keys)
		return func() {
			b.flush()
			if len(b.stale) > 0 {
				f.refreshMany(ctx, b.stale, load)
			}
		}
	}
}

// run loads what is ours to load, stores it, then waits for what others are loading, and loads what they did not. That our
// own part comes first keeps two processes with overlapping batches from waiting for each other.
func (b *batch[V]) run(ctx context.Context, keys []string) {
	f, ask := b.f, keys
	if b.aging == nil {
		ask = b.current(keys)
	}
	if !f.shared() {
		b.read(ctx, ask, nil)
		return
	}
	found, err := f.fromL2(ctx, ask)
	if err != nil {
		b.read(ctx, ask, nil)
		return
	}
	if ask = b.take(ask, found); len(ask) == 0 {
		return
	}
	grants := f.grants(ctx, ask)
	mine, others := b.split(ask, grants)
	if !b.read(ctx, mine, grants) || len(others) == 0 || b.aging != nil {
		return
	}
	b.flush()
	f.count.waited.Add(1)
	rest, grants := b.await(ctx, others)
	b.read(ctx, rest, grants)
}

// current answers what has turned up in L1, and returns the other keys.
func (b *batch[V]) current(keys []string) (missing []string) {
	for _, k := range keys {
		if e := b.f.current(k); e != nil {
			b.answer(k, outcome[V]{entry: e, source: L1})
		} else {
			missing = append(missing, k)
		}
	}
	return missing
}

// take answers what was found in L2, if it is of use, and returns the other keys.
func (b *batch[V]) take(keys []string, found map[string]*entry[V]) (missing []string) {
	f, now := b.f, time.Now().UnixNano()
	for _, k := range keys {
		e, have := found[k], b.aging[k]
		switch {
		case e == nil:
			missing = append(missing, k)
			continue
		case now < e.expires && (have == nil || e.expires > have.expires):
		case b.aging == nil && e.within(now, f.o.StaleFor):
			f.count.stale.l2.Add(1)
			b.stale[k] = e
		default:
			if e.within(now, f.o.FailSafe) {
				b.old[k] = e
			}
			missing = append(missing, k)
			continue
		}
		b.answer(k, outcome[V]{entry: e, source: L2})
	}
	return missing
}

// grants asks for the right to load keys; nil when L2 cannot be used.
func (f *Family[V]) grants(ctx context.Context, keys []string) map[string]grant {
	full := make([]string, len(keys))
	for i, k := range keys {
		full[i] = f.redisKey(k)
	}
	got, err := f.s.l2.lease(ctx, full, f.schema, f.s.o.LeaseTTL, f.o.LoadTimeout)
	if err != nil {
		return nil
	}
	out := make(map[string]grant, len(keys))
	for i, k := range keys {
		out[k] = got[i]
	}
	return out
}

// split tells what is ours to load.
func (b *batch[V]) split(keys []string, grants map[string]grant) (mine, others []string) {
	if grants == nil || b.f.o.LeaseWait < 0 {
		return keys, nil
	}
	for _, k := range keys {
		if grants[k].owned {
			mine = append(mine, k)
		} else {
			others = append(others, k)
		}
	}
	return mine, others
}

// await looks for what others load until it is there, the right to load all that is missing is ours, or LeaseWait is over. It
// returns what to load.
func (b *batch[V]) await(ctx context.Context, keys []string) ([]string, map[string]grant) {
	f := b.f
	ctx, cancel := context.WithTimeout(ctx, f.o.LeaseWait)
	defer cancel()
	held := map[string]grant{}
	for pause := leasePoll; ; pause = min(2*pause, leasePollMax) {
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return keys, held
		case <-t.C:
		}
		found, err := f.fromL2(ctx, keys)
		if err != nil {
			return keys, held
		}
		left := b.take(keys, found)
		var open []string
		for _, k := range keys {
			switch {
			case !slices.Contains(left, k):
				f.s.l2.release(ctx, held[k])
				delete(held, k)
			case !held[k].owned:
				open = append(open, k)
			}
		}
		if keys = left; len(open) == 0 {
			return keys, held
		}
		maps.Copy(held, f.grants(ctx, open))
		f.s.l2.prolong(ctx, slices.Collect(maps.Values(held)))
	}
}
