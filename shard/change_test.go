package shard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stampede-shop/stampede/shard"
)

func five(tb testing.TB) shard.Map { return ringOf(tb, 5) }

// goes is a key that the fifth shard takes over, stays one that it does not.
func goes(tb testing.TB) (goes, stays string) {
	before, after := four(tb), five(tb)
	for i := 0; goes == "" || stays == ""; i++ {
		if key := fmt.Sprint(i); owner(tb, before, key) != owner(tb, after, key) {
			goes = key
		} else {
			stays = key
		}
	}
	return goes, stays
}

func TestDoFollowsAKeyThatMoves(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	moving, _ := goes(t)
	var seen []string
	err := c.Do(t.Context(), moving, func(_ context.Context, n shard.Node) error {
		seen = append(seen, n.ID)
		if n.ID == "shard5" {
			return nil
		}
		if len(seen) == 2 {
			if err := c.Replace(five(t), pools(t, "shard1", "shard2", "shard3", "shard4", "shard5")); err != nil {
				t.Error(err)
			}
		}
		return fmt.Errorf("write: %w", &pgconn.PgError{Code: shard.MovedState})
	})
	if err != nil || len(seen) != 3 || seen[0] != seen[1] || seen[2] != "shard5" {
		t.Errorf("tried %v, got %v", seen, err)
	}
	if n, ok := c.Node("shard5"); !ok || n.ID != "shard5" || len(c.Nodes()) != 5 {
		t.Errorf("the new shard is not there: %v", c.Nodes())
	}
	if err := c.Replace(five(t), pools(t, "shard1")); !errors.Is(err, shard.ErrNoPool) || len(c.Nodes()) != 5 {
		t.Errorf("a map without its pools: %v", err)
	}
}

func TestDoGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tries := 0
	if err := c.Do(ctx, "k", func(context.Context, shard.Node) error {
		if tries++; tries == 3 {
			cancel()
		}
		return shard.ErrMoved
	}); !errors.Is(err, shard.ErrMoved) {
		t.Errorf("got %v", err)
	}
	if err := c.Do(t.Context(), "k", func(context.Context, shard.Node) error { return errBoom }); !errors.Is(err, errBoom) {
		t.Errorf("got %v", err)
	}
}

func TestHeldKeysWaitAndOthersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cluster(t, shard.Options{})
		moving, staying := goes(t)
		c.Hold(func(key string) bool { return key == moving })
		var ran atomic.Bool
		done := make(chan error)
		go func() {
			done <- c.Do(t.Context(), moving, func(_ context.Context, n shard.Node) error { ran.Store(true); return nil })
		}()
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		check(c.Do(t.Context(), staying, func(context.Context, shard.Node) error { return nil }))
		synctest.Wait()
		if ran.Load() {
			t.Error("a held key was worked on")
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Do(brief, moving, func(context.Context, shard.Node) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a held key ended with %v", err)
		}
		c.Hold(nil)
		check(<-done)
	})
}

func TestDoEachGroupsByOwnerAndFollowsWhatMoves(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	keys := make([]string, 200)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
	}
	var mu sync.Mutex
	served := map[string]string{}
	var once sync.Once
	err := shard.DoEach(t.Context(), c, keys, func(k string) string { return k }, func(_ context.Context, n shard.Node, some []string) error {
		if !slices.IsSortedFunc(some, func(a, b string) int { return slices.Index(keys, a) - slices.Index(keys, b) }) {
			t.Error("the order was lost")
		}
		once.Do(func() {
			if err := c.Replace(five(t), pools(t, "shard1", "shard2", "shard3", "shard4", "shard5")); err != nil {
				t.Error(err)
			}
		})
		for _, k := range some {
			if owner(t, five(t), k) != n.ID {
				return shard.ErrMoved
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, k := range some {
			if served[k] != "" {
				t.Errorf("%q was served twice", k)
			}
			served[k] = n.ID
		}
		return nil
	})
	if err != nil || len(served) != len(keys) {
		t.Errorf("%d of %d served, %v", len(served), len(keys), err)
	}
	err = shard.DoEach(t.Context(), c, keys, func(k string) string { return k }, func(_ context.Context, n shard.Node, _ []string) error {
		if n.ID == "shard5" {
			return nil
		}
		return errBoom
	})
	var e *shard.Error
	if !errors.Is(err, errBoom) || !errors.As(err, &e) || e.Shard == "shard5" {
		t.Errorf("got %v", err)
	}
}
