package cache_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestGetManyAsksEachTierOnce(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	for _, k := range []string{"1", "2", "3", "4"} {
		d.set(k, "v"+k)
	}
	got, src, err := fa.GetMany(t.Context(), []string{"1", "2", "2", "none"}, d.loadMany)
	if want := map[string]string{"1": "v1", "2": "v2"}; err != nil || src != cache.Load || !maps.Equal(got, want) {
		t.Fatalf("got %v from %v, %v", got, src, err)
	}
	if _, src, _ = fa.GetMany(t.Context(), []string{"2", "1", "none"}, d.loadMany); src != cache.L1 || d.count() != 1 {
		t.Errorf("again: from %v with %d loads", src, d.count())
	}
	settled(t, a, "row", "1", "v1")
	var asked []string
	got, src, err = fb.GetMany(t.Context(), []string{"1", "3", "2", "4"}, func(ctx context.Context, missing []string) (map[string]cache.Loaded[string], error) {
		asked = append(asked, missing...)
		return d.loadMany(ctx, missing)
	})
	if err != nil || src != cache.Load || len(got) != 4 || !slices.Equal(asked, []string{"3", "4"}) {
		t.Errorf("got %v from %v, %v; the loader was asked for %v", got, src, err, asked)
	}
	if n := b.Stats().Families[0].L2Hits; n != 2 {
		t.Errorf("%d hits in L2, want 2", n)
	}
}

func TestGetManyFailsAsAWhole(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	boom := errors.New("boom")
	fail := func(context.Context, []string) (map[string]cache.Loaded[string], error) { return nil, boom }
	if got, _, err := f.GetMany(t.Context(), []string{"1"}, fail); got != nil || !errors.Is(err, boom) {
		t.Errorf("got %v, %v", got, err)
	}
	var d db
	d.set("1", "v")
	if got, _, err := f.GetMany(t.Context(), []string{"1"}, d.loadMany); err != nil || got["1"] != "v" {
		t.Errorf("the failure stuck: %v, %v", got, err)
	}
}

func TestGetManySharesALoad(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	var loads atomic.Int64
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			got, _, err := f.GetMany(t.Context(), []string{"b", "a"}, func(_ context.Context, missing []string) (map[string]cache.Loaded[string], error) {
				loads.Add(1)
				return map[string]cache.Loaded[string]{"a": {Value: "A"}, "b": {Value: "B"}}, nil
			})
			if err != nil || got["a"] != "A" || got["b"] != "B" {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if loads.Load() != 1 {
		t.Errorf("%d loads, want 1", loads.Load())
	}
}
