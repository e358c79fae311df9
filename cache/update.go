package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// ErrConflict means that others changed a value as often as Update tried to.
var ErrConflict = errors.New("cache: the value is changed by too many at once")

// updateTries bounds how often Update starts again because somebody was faster.
const updateTries = 32

// Update changes a cached value without loading it again: change gets what is cached and returns what replaces it, with the
// same tags and the same end. It is atomic among processes, and no load that had begun before overwrites its result. It must return
// a new value, as the old one is shared with readers, and may be called again when somebody else was faster. found is false
// when the value is not cached; then nothing is, and the next Get loads it. Errors are change's, ErrConflict and ErrUnconfirmed.
func (f *Family[V]) Update(ctx context.Context, key string, change func(old V) (V, error)) (found bool, err error) {
	if !f.shared() {
		return f.updateLocal(ctx, key, change)
	}
	for range updateTries {
		found, done, err := f.updateOnce(ctx, key, change)
		if done {
			return found, err
		}
	}
	return false, errors.Join(ErrConflict, f.Delete(ctx, key))
}

// UpdateBehind is Update in the background; until then, the old value is served.
func (f *Family[V]) UpdateBehind(key string, change func(old V) (V, error)) error {
	return f.later(key, func(ctx context.Context) error {
		_, err := f.Update(ctx, key, change)
		return err
	}, func() {})
}

// updateOnce tries to swap what L2 has. Without a value there, or without L2, the key is deleted everywhere.
func (f *Family[V]) updateOnce(ctx context.Context, key string, change func(old V) (V, error)) (found, done bool, err error) {
	f.s.gens.bumpKeys(f.refs([]string{key}))
	born := f.s.gens.now()
	rec, guard, err := f.s.l2.snapshot(ctx, f.redisKey(key), f.schema)
	if err != nil || rec == nil || rec.absent {
		return false, true, f.Delete(ctx, key)
	}
	old := f.decode(key, rec, born, time.Now())
	if old == nil {
		return false, true, f.Delete(ctx, key)
	}
	v, err := change(old.value)
	if err != nil {
		return true, true, err
	}
	e := newEntry(key, v, false, facts{born: born, slots: old.slots, tags: old.tags})
	data, size := f.encode(v)
	e.weight = f.weigh(size, e.tags)
	e.schedule(&f.o, time.Now(), rec.expires, f.jitter(f.o.L1TTL), rec.cost)
	next, ok := f.record(e, data)
	if !ok {
		return false, true, f.Delete(ctx, key)
	}
	next.epoch, next.versions = rec.epoch, rec.versions // what invalidates the old value invalidates the new one
	r, swapped, err := f.s.l2.swap(ctx, f.redisKey(key), f.schema, guard, next)
	if err != nil { // it may have happened or not
		return false, true, errors.Join(unconfirmed(err), f.Delete(ctx, key))
	}
	if !swapped {
		return false, false, nil
	}
	f.keep(key, e)
	return true, true, unconfirmed(f.tell(ctx, key, r, nil))
}

// updateLocal changes what is in memory, and has the other processes drop theirs.
func (f *Family[V]) updateLocal(ctx context.Context, key string, change func(old V) (V, error)) (bool, error) {
	for range updateTries {
		old := f.settledLocal(key)
		if old == nil || old.err != nil {
			return false, f.Delete(ctx, key)
		}
		v, err := change(old.value)
		if err != nil {
			return true, err
		}
		_, size := f.encode(v)
		if f.replaceLocal(key, old, v, size) {
			return true, unconfirmed(f.tell(ctx, key, reading{}, nil))
		}
	}
	return false, errors.Join(ErrConflict, f.Delete(ctx, key))
}

// replaceLocal puts v in the place of old, if that is still there and valid.
func (f *Family[V]) replaceLocal(key string, old *entry[V], v V, size int) bool {
	f.s.dropping.Lock()
	defer f.s.dropping.Unlock()
	if f.current(key) != old {
		return false
	}
	f.s.gens.replaceKey(f.name, key, func(born uint64) {
		e := newEntry(key, v, false, facts{born: born, slots: old.slots, tags: old.tags, weight: f.weigh(size, old.tags),
			until: old.until, expires: old.expires, dead: old.dead, cost: old.cost})
		e.soft.Store(old.soft.Load())
		f.l1.Set(key, e)
	})
	return true
}

// settledLocal is what is in memory, not in the middle of an update.
func (f *Family[V]) settledLocal(key string) *entry[V] {
	f.s.dropping.Lock()
	defer f.s.dropping.Unlock()
	return f.current(key)
}

// snapshot reads a valid record with its guard; nil when there is none.
func (l *l2) snapshot(ctx context.Context, key, schema string) (*record, string, error) {
	res, err := l.do(ctx, func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{c.B().Hmget().Key(key).Field(valueField(schema), "g").Build()}
	})
	if err != nil {
		return nil, "", err
	}
	parts, err := res[0].ToArray()
	if err != nil || len(parts) != 2 || parts[0].IsNil() || parts[1].IsNil() {
		return nil, "", err
	}
	data, _ := parts[0].AsBytes()
	guard, _ := parts[1].ToString()
	rec, err := decodeRecord(data)
	if err != nil || !time.Now().Before(rec.expires) {
		return nil, "", nil
	}
	recs := []*record{rec}
	err = l.verify(ctx, recs, true)
	return recs[0], guard, err
}

// swap replaces a record if its guard is still the same, and counts that as a change.
func (l *l2) swap(ctx context.Context, key, schema, guard string, rec record) (reading, bool, error) {
	res, err := l.raw(context.WithoutCancel(ctx), l.patience(), func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{eval(c, swapScript, key, valueField(schema), token(), rueidis.BinaryString(rec.encode()), guard)}
	})
	if err != nil {
		return reading{}, false, err
	}
	if done, err := res[0].AsInt64(); err != nil || done == 0 {
		return reading{}, false, err
	}
	m, err := l.clockScript(context.WithoutCancel(ctx), l.patience(), func(c rueidis.Client) rueidis.Completed { return l.tickCommand(c, 0, 1) })
	return m, err == nil, err
}
