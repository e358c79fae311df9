package cache

import (
	"context"
	"errors"
	"time"
)

// loader reads one value from the source.
type loader[V any] = func(ctx context.Context) (V, []string, error)

// Get returns the value of key from the first tier that has it. load returns the value and its tags; an error may come with
// tags too, for an absence. load may run in another goroutine, and its context outlives this caller's as long as others
// wait, or when the value is refreshed in the background. The error is the loader's, that of ctx, ErrTimeout,
// ErrOverloaded, ErrClosed, or what Absent made.
func (f *Family[V]) Get(ctx context.Context, key string, load func(ctx context.Context) (V, []string, error)) (V, Source, error) {
	e := f.held(key)
	if e != nil && f.clock.NowNano() < e.soft.Load() {
		f.countHit(e)
		return e.outcome(L1)
	}
	return f.second(ctx, key, e, load)
}

// second is for what is not simply there: a value near its end or beyond it, or none (e is nil).
func (f *Family[V]) second(ctx context.Context, key string, e *entry[V], load loader[V]) (V, Source, error) {
	if e == nil {
		return f.miss(ctx, key, nil, false, load)
	}
	serve, renew := f.look(e)
	if renew {
		f.refresh(ctx, key, e, load)
	}
	if serve {
		return e.outcome(L1)
	}
	if !e.within(time.Now().UnixNano(), f.o.FailSafe) {
		e = nil
	}
	return f.miss(ctx, key, e, true, load)
}

// look takes the second look at what L1 has: whether it may be served, and whether it should be refreshed in the background.
func (f *Family[V]) look(e *entry[V]) (serve, renew bool) {
	now := time.Now().UnixNano()
	switch {
	case now < e.until:
		if renew = e.early(now, f.o.Beta); renew {
			f.count.early.Add(1)
		}
		f.countHit(e)
		return true, renew
	case e.within(now, f.o.StaleFor):
		f.count.stale.l1.Add(1)
		return true, true
	}
	f.count.why(missExpired)
	return false, false
}

// miss waits for the value from below. old, if not nil, is what to serve when that fails or takes too long. counted says that it is
// known why L1 has nothing.
func (f *Family[V]) miss(ctx context.Context, key string, old *entry[V], counted bool, load loader[V]) (v V, _ Source, _ error) {
	arrived := f.s.gens.now()
	patience := f.o.HardTimeout
	if old != nil && f.o.SoftTimeout > 0 {
		patience = f.o.SoftTimeout
	}
	for ; ; counted = true {
		r, joined, err := f.share(ctx, key, patience, counted, load)
		switch {
		case errors.Is(err, ErrTimeout) && old != nil && old.fresh(f.s.gens):
			f.count.failsafe.Add(1)
			return old.value, L1, nil
		case err != nil:
			return v, Load, err
		case r.entry == nil, r.entry.outdated(f.s.gens, arrived):
			continue // we joined a refresh that somebody else did, or a load that was overtaken by an invalidation that ended before we came
		}
		if joined {
			f.count.joined.Add(1)
		}
		if r.failed && old != nil && old.fresh(f.s.gens) {
			return f.failSafe(old)
		}
		return r.entry.value, r.source, r.entry.err
	}
}

// share answers a miss together with all who want the key now: whoever comes first takes a quick look, and only what that does not
// answer becomes the work of a goroutine.
func (f *Family[V]) share(ctx context.Context, key string, patience time.Duration, counted bool, load loader[V]) (r outcome[V], joined bool, err error) {
	c, mine := f.flights.join(key)
	if mine {
		first := glanceUnsure
		r, done := f.flights.first(key, c, func() (r outcome[V], done bool) {
			r, first = f.quick(key, counted)
			return r, first == glanceFound
		})
		if done {
			return r, false, nil
		}
		f.flights.fly(ctx, key, c, f.o.LoadTimeout, f.s.spawn, f.worker(key, first, load))
	} else if !counted {
		f.count.why(f.lost(key))
	}
	r, err = f.flights.await(ctx, key, c, patience)
	return r, !mine, err
}

// worker is work for one key.
func (f *Family[V]) worker(key string, first glance, load loader[V]) work[outcome[V]] {
	return func(ctx context.Context, answer func(string, outcome[V])) func() {
		r, after := f.work(ctx, key, load, first, nil)
		answer(key, r)
		return after
	}
}

// failSafePause is how long after a failed load an aged value is served without trying again.
const failSafePause = time.Second

// failSafe serves what has expired instead of an error.
func (f *Family[V]) failSafe(old *entry[V]) (V, Source, error) {
	f.count.failsafe.Add(1)
	old.rest(time.Now().UnixNano(), failSafePause, f.o.FailSafe)
	return old.value, L1, nil
}

// refresh replaces a value in the background, unless somebody is at it.
func (f *Family[V]) refresh(ctx context.Context, key string, e *entry[V], load loader[V]) {
	if !e.claim() {
		return
	}
	mine := f.flights.start(ctx, []string{key}, f.o.LoadTimeout, f.s.spawn, func([]string) work[outcome[V]] {
		return func(ctx context.Context, answer func(string, outcome[V])) func() {
			defer f.s.logPanic(f.name)
			var r outcome[V]
			defer func() { f.refreshed(key, e, r) }()
			r, after := f.work(ctx, key, load, glanceUnsure, e)
			answer(key, r)
			return after
		}
	})
	if len(mine) == 0 {
		e.unclaim()
	}
}

// refreshed ends the refresh of an entry. One that failed, or was left to another process, is not tried again at once.
func (f *Family[V]) refreshed(key string, e *entry[V], r outcome[V]) {
	if !e.is(refreshing) {
		return
	}
	defer e.unclaim()
	pause := leasePollMax
	switch {
	case r.failed:
		pause = failSafePause
	case r.entry != nil:
		return
	}
	now := time.Now().UnixNano()
	e.rest(now, pause, f.o.StaleFor)
	if e := f.held(key); e != nil { // another one, if a look into L2 brought it
		e.rest(now, pause, f.o.StaleFor)
	}
}

// lost tells why key is not in L1.
func (f *Family[V]) lost(key string) missReason {
	_, why := f.again(key)
	return why
}

// again looks once more what L1 has of a key that was missing: an entry whose time has not come, or nil and why.
func (f *Family[V]) again(key string) (*entry[V], missReason) {
	kept, ok := f.l1.GetEntryQuietly(key)
	switch e := kept.Value; {
	case !ok:
		return nil, missCold
	case !e.fresh(f.s.gens):
		f.s.hot.culprit(f.s.gens, e.slots, e.tags, e.born)
		return nil, missInvalidated
	case f.clock.NowNano() >= e.until:
		return nil, missExpired
	case !f.o.AnyAge && f.s.deaf():
		return nil, missDeaf
	default:
		return e, missDeaf
	}
}
