package shard

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MovedState is the SQLSTATE with which a shard's database refuses to write a key that has gone, or is just going, to another
// shard.
const MovedState = "SM001"

// ErrMoved can be returned by the function given to [Cluster.Do] when it finds that the key is not there any more.
var ErrMoved = errors.New("shard: the key has moved")

// Moved tells that an error means: locate the key again and repeat. Nothing was written.
func Moved(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, ErrMoved) || (errors.As(err, &pg) && pg.Code == MovedState)
}

// Replace puts another map with its pools in force and lets go of keys that were held. Work that began under the map before
// goes on with the node it was given.
func (c *Cluster) Replace(m Map, pools map[string]*pgxpool.Pool) error {
	v, err := newView(m, pools)
	if err != nil {
		return err
	}
	c.exchange(func(view) view { return *v })
	return nil
}

// Hold makes new work on the keys that held picks wait until the next Replace or Hold; nil lets all keys go. held must be safe
// for concurrent use. Work that runs already is not waited for: the databases refuse its writes when it comes too late.
func (c *Cluster) Hold(held func(key string) bool) {
	c.exchange(func(v view) view {
		v.held = held
		return v
	})
}

func (c *Cluster) exchange(f func(view) view) {
	c.change.Lock()
	defer c.change.Unlock()
	old := c.now.Load()
	next := f(*old)
	next.changed = make(chan struct{})
	c.now.Store(&next)
	close(old.changed)
}

// movedPause is how long Do waits for a new map, after a database refused a write, before it tries the one it has again.
const movedPause = 20 * time.Millisecond

// Do runs fn with the owner of key: not while the key is held, and again when fn's error is one of [Moved]. It gives up when
// ctx ends, with the last error that fn returned, if there is one.
func (c *Cluster) Do(ctx context.Context, key string, fn func(ctx context.Context, n Node) error) error {
	for {
		v, err := c.settled(ctx, key)
		if err != nil {
			return err
		}
		n, err := v.owner(key)
		if err != nil {
			return err
		}
		if err = fn(ctx, n); !Moved(err) || !v.wait(ctx, movedPause) {
			return err
		}
	}
}

// settled is the view in force once key is not held in it.
func (c *Cluster) settled(ctx context.Context, key string) (*view, error) {
	for {
		v := c.now.Load()
		if v.held == nil || !v.held(key) {
			return v, nil
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// wait returns when the view was exchanged, or after d; false when ctx ended first.
func (v *view) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-v.changed:
		return true
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// DoEach runs fn once for each shard that owns some of the items, in parallel, with those items in the order given, and waits
// for all of them; items that have moved meanwhile are grouped and run again. It returns the failures joined, each an
// [*Error], in no particular order. keyOf tells an item's key.
func DoEach[T any](ctx context.Context, c *Cluster, items []T, keyOf func(T) string, fn func(ctx context.Context, n Node, items []T) error) error {
	groups, err := groupByOwner(ctx, c, items, keyOf)
	if err != nil {
		return err
	}
	errs := make(chan error, len(groups))
	for _, g := range groups {
		go guard(g.node.ID, errs, func() error {
			err := fn(ctx, g.node, g.items)
			if !Moved(err) {
				return wrap(g.node.ID, err)
			}
			if !g.seen.wait(ctx, movedPause) {
				return wrap(g.node.ID, err)
			}
			return DoEach(ctx, c, g.items, keyOf, fn)
		})
	}
	var all []error
	for range groups {
		all = append(all, <-errs)
	}
	return raise(all)
}

type group[T any] struct {
	node  Node
	seen  *view
	items []T
}

// groupByOwner waits until no key is held and sorts the items by owner, all under one view.
func groupByOwner[T any](ctx context.Context, c *Cluster, items []T, keyOf func(T) string) ([]*group[T], error) {
again:
	for {
		v := c.now.Load()
		var groups []*group[T]
		for _, it := range items {
			key := keyOf(it)
			if v.held != nil && v.held(key) {
				if _, err := c.settled(ctx, key); err != nil {
					return nil, err
				}
				continue again
			}
			n, err := v.owner(key)
			if err != nil {
				return nil, err
			}
			groups = addTo(groups, n, v, it)
		}
		return groups, nil
	}
}

func addTo[T any](groups []*group[T], n Node, v *view, it T) []*group[T] {
	for _, g := range groups {
		if g.node.ID == n.ID {
			g.items = append(g.items, it)
			return groups
		}
	}
	return append(groups, &group[T]{n, v, []T{it}})
}
