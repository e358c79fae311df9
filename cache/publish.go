package cache

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// publish puts an entry into L2, tells the other processes, and keeps it. It was born before: whatever changes the key or
// its tags between then and now wins.
func (f *Family[V]) publish(ctx context.Context, key string, e *entry[V], data []byte) error {
	if !f.shared() {
		f.keep(key, e)
		return unconfirmed(f.tell(ctx, key, reading{}, nil))
	}
	f.keep(key, e)
	r, err := f.put(ctx, key, e, data)
	return unconfirmed(f.tell(ctx, key, r, err))
}

// put replaces what L2 has of key; when the value may not go there, what is there is deleted.
func (f *Family[V]) put(ctx context.Context, key string, e *entry[V], data []byte) (reading, error) {
	l := f.s.l2
	ctx = context.WithoutCancel(ctx)
	gone := change{keys: []string{f.redisKey(key)}}
	rec, ok := f.record(e, data)
	if ok && l.up.Load() {
		ok = l.stampNow(ctx, &rec) && e.fresh(f.s.gens)
	}
	if !ok {
		return l.invalidate(ctx, gone)
	}
	r, err := l.set(ctx, f.redisKey(key), f.schema, rec, millis(f.keepFor(e)))
	if err != nil {
		l.remember(gone)
	}
	return r, err
}

// stampNow gives a record the versions of its tags as they are now; false when they cannot be known.
func (l *l2) stampNow(ctx context.Context, rec *record) bool {
	res, err := l.readClock(ctx)
	if err != nil || res.epoch == "" {
		return false
	}
	versions, fresh, err := l.stamps(ctx, res.moment, distinct(rec.tags))
	if err != nil || !rec.stamp(res.moment, versions) {
		return false
	}
	if len(fresh) > 0 {
		_, err = l.do(ctx, func(c rueidis.Client) rueidis.Commands { return l.introduce(c, res.moment, fresh) })
	}
	return err == nil
}

// set replaces all that Redis has of a key, of whatever version of the type, and counts it as a change.
func (l *l2) set(ctx context.Context, key, schema string, rec record, keep string) (reading, error) {
	if !l.up.Load() {
		return reading{}, errDown
	}
	floor := l.floor.Load()
	res, err := l.raw(ctx, l.patience(), func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{
			eval(c, setScript, key, valueField(schema), token(), rueidis.BinaryString(rec.encode()), keep),
			l.tickCommand(c, 0, 1),
		}
	})
	if err != nil {
		return reading{}, err
	}
	return l.checked(floor, res[1])
}

// tell has the other processes drop key, after L2 was changed with an outcome.
func (f *Family[V]) tell(ctx context.Context, key string, r reading, l2err error) error {
	m := message{Keys: f.refs([]string{key}), Pending: l2err != nil}
	m.number(r)
	f.s.heard(m)
	f.s.sent.Add(1)
	return errors.Join(l2err, f.s.broadcast(ctx, m))
}

// replace loads key whatever the tiers have. Callers at the same time share a load.
func (f *Family[V]) replace(ctx context.Context, key string, load loader[V]) (v V, err error) {
	c, mine := f.reloads.join(key)
	if mine {
		f.reloads.fly(ctx, key, c, f.o.LoadTimeout, f.s.spawn, func(ctx context.Context, answer func(string, outcome[V])) func() {
			answer(key, f.reload(ctx, key, load))
			return nil
		})
	}
	r, err := f.reloads.await(ctx, key, c, f.o.HardTimeout)
	if err != nil {
		return v, err
	}
	if !mine {
		f.count.joined.Add(1)
	}
	return r.entry.value, r.entry.err
}

// reload loads and puts the result everywhere. The clock is read before the load, as for any other.
func (f *Family[V]) reload(ctx context.Context, key string, load loader[V]) outcome[V] {
	var g grant
	if f.shared() {
		if grants, err := f.s.l2.lease(ctx, []string{f.redisKey(key)}, f.schema, f.s.o.LeaseTTL, f.o.LoadTimeout); err == nil {
			g = grants[0]
			defer f.s.l2.renew(g)()
		}
	}
	e, data, err := f.read(ctx, key, load)
	if err != nil || !f.keep(key, e) {
		if g.ok() {
			f.s.l2.release(ctx, g)
		}
		return outcome[V]{entry: e, source: Load}
	}
	if g.ok() {
		f.toL2(ctx, []grant{g}, []string{key}, []*entry[V]{e}, [][]byte{data})
	}
	if err := f.tell(ctx, key, reading{}, nil); err != nil {
		f.s.o.Logger.Warn("a refreshed value is not confirmed everywhere", "family", f.name, "error", err)
	}
	return outcome[V]{entry: e, source: Load}
}
