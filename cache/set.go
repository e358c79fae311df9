package cache

import (
	"context"
	"slices"
	"time"
)

// behindTimeout bounds one piece of background work.
const behindTimeout = 10 * time.Second

// Set puts a value into every tier. When it returns nil, no live process serves an older value of key, and no load that had begun
// before will overwrite it. ErrUnconfirmed as for Store.Invalidate: then the old value is gone where this could be
// verified, and the new one may be.
func (f *Family[V]) Set(ctx context.Context, key string, v V, tags ...string) error {
	e, data := f.begin(key, v, tags)
	return f.publish(ctx, key, e, data)
}

// SetBehind puts a value into this process's memory at once, and into the other tiers and processes in the background.
// ErrQueueFull means that nothing was done.
func (f *Family[V]) SetBehind(key string, v V, tags ...string) error {
	e, data := f.begin(key, v, tags)
	return f.later(key, func(ctx context.Context) error { return f.publish(ctx, key, e, data) }, func() { f.keep(key, e) })
}

// Write is write-through: write stores the value at its source, then it is Set. When write fails the key is deleted, as
// nobody knows what happened, and its error returned.
func (f *Family[V]) Write(ctx context.Context, key string, v V, tags []string, write func(ctx context.Context) error) error {
	if err := write(ctx); err != nil {
		_ = f.Delete(context.WithoutCancel(ctx), key) // the write's error is what counts
		return err
	}
	return f.Set(ctx, key, v, tags...)
}

// WriteBehind is Write with the value in this process's memory at once, and the rest in the background, in order for each key. failed, if
// not nil, hears of an error. What is queued is lost when the process dies: it is for what may be lost.
func (f *Family[V]) WriteBehind(key string, v V, tags []string, write func(ctx context.Context) error, failed func(error)) error {
	e, data := f.begin(key, v, tags)
	return f.later(key, func(ctx context.Context) error {
		err := write(ctx)
		if err == nil {
			return f.publish(ctx, key, e, data)
		}
		_ = f.Delete(ctx, key)
		if failed != nil {
			failed(err)
		}
		return err
	}, func() { f.keep(key, e) })
}

// Delete makes keys gone from every tier, with the promises of Set.
func (f *Family[V]) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	for part := range slices.Chunk(keys, chunk) {
		errs = append(errs, f.s.drop(ctx, message{Keys: f.refs(part)}))
	}
	return unconfirmed(errs...)
}

// DeleteBehind makes keys gone from this process's memory at once, and from the rest in the background.
func (f *Family[V]) DeleteBehind(keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	return f.later(keys[0], func(ctx context.Context) error { return f.Delete(ctx, keys...) },
		func() { f.s.gens.bumpKeys(f.refs(keys)) })
}

// Refresh loads key whatever the tiers have, and puts the result there.
func (f *Family[V]) Refresh(ctx context.Context, key string, load func(ctx context.Context) (V, []string, error)) (V, error) {
	return f.replace(ctx, key, load)
}

// RefreshBehind is Refresh in the background; what the tiers have is served meanwhile.
func (f *Family[V]) RefreshBehind(key string, load func(ctx context.Context) (V, []string, error)) error {
	return f.later(key, func(ctx context.Context) error {
		_, err := f.replace(ctx, key, load)
		return err
	}, func() {})
}

// InvalidateBehind drops what the tags cover from this process's memory at once, and from the rest in the background.
func (s *Store) InvalidateBehind(tags ...string) error {
	err := s.behind.add("", func() { s.background("invalidate", func(ctx context.Context) error { return s.Invalidate(ctx, tags) }) })
	if err == nil {
		s.gens.bump(tags)
	}
	return err
}

// ClearBehind clears this process's memory at once, and the rest in the background.
func (s *Store) ClearBehind() error {
	err := s.behind.add("", func() { s.background("clear", s.Clear) })
	if err == nil {
		s.Forget()
	}
	return err
}

// Flush waits until the background work that was accepted before has been done.
func (s *Store) Flush(ctx context.Context) error { return s.behind.flush(ctx) }

// background does a piece of work whose caller has gone.
func (s *Store) background(what string, fn func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), behindTimeout)
	defer cancel()
	if err := fn(ctx); err != nil {
		s.o.Logger.Warn("background work of the cache failed", "what", what, "error", err)
	}
}

// later queues work for a key, and does now what is to be seen at once if there is room.
func (f *Family[V]) later(key string, work func(ctx context.Context) error, now func()) error {
	err := f.s.behind.add(f.name+"\x00"+key, func() { f.s.background(f.name, work) })
	if err == nil {
		now()
	}
	return err
}

func (f *Family[V]) refs(keys []string) []keyRef {
	refs := make([]keyRef, len(keys))
	for i, k := range keys {
		if refs[i] = (keyRef{Family: f.name, Key: k}); f.shared() {
			refs[i].Redis = f.redisKey(k)
		}
	}
	return refs
}

// begin makes the entry of a value that replaces what is there: whatever was read before is out of date from now on, in
// this process.
func (f *Family[V]) begin(key string, v V, tags []string) (*entry[V], []byte) {
	f.s.gens.bumpKeys(f.refs([]string{key}))
	return f.entry(key, v, nil, tags, f.s.gens.now(), time.Now())
}
