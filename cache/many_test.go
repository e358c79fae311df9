package cache_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// Batches that overlap, and single reads beside them, load each key once between them; who leaves does not take the others' load away.
func TestOverlappingBatchesShareLoads(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	loaded := map[string]int{}
	load := func(ctx context.Context, missing []string) (map[string]cache.Loaded[string], error) {
		mu.Lock()
		for _, k := range missing {
			loaded[k]++
		}
		mu.Unlock()
		if slices.Contains(missing, "a") {
			close(entered)
		}
		select {
		case <-release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		out := map[string]cache.Loaded[string]{}
		for _, k := range missing {
			out[k] = cache.Loaded[string]{Value: "v" + k}
		}
		return out, nil
	}
	first, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := f.GetMany(first, []string{"a", "b"}, load)
		gone <- err
	}()
	<-entered
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			got, _, err := f.GetMany(t.Context(), []string{"b", "c"}, load)
			if err != nil || got["b"] != "vb" || got["c"] != "vc" {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	wg.Go(func() {
		if v, _, err := f.Get(t.Context(), "a", failing); v != "va" || err != nil {
			t.Errorf("Get beside a batch: %q, %v", v, err)
		}
	})
	eventually(t, "all wait", func() bool { return cache.Waiters(f, "b") == 101 && cache.Waiters(f, "a") == 2 })
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	wg.Wait()
	if want := map[string]int{"a": 1, "b": 1, "c": 1}; !maps.Equal(loaded, want) {
		t.Errorf("loaded %v", loaded)
	}
}

// A batch nobody waits for any more is cancelled, and its keys can be asked for again.
func TestBatchEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	_, _, err := f.GetMany(ctx, []string{"1", "2"}, func(ctx context.Context, _ []string) (map[string]cache.Loaded[string], error) {
		leave()
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the load ended with %v", err)
	}
	var d db
	d.set("1", "v")
	if got, _, err := f.GetMany(t.Context(), []string{"1", "2"}, d.loadMany); err != nil || got["1"] != "v" {
		t.Errorf("the next caller got %v, %v", got, err)
	}
}

// What a batch's loader left out is not cached; who asked for it alone asks their own loader.
func TestLeftOutOfABatch(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	done := make(chan map[string]string, 1)
	go func() {
		got, _, _ := f.GetMany(t.Context(), []string{"1", "2"}, func(context.Context, []string) (map[string]cache.Loaded[string], error) {
			close(entered)
			<-release
			return map[string]cache.Loaded[string]{"1": {Value: "one"}}, nil
		})
		done <- got
	}()
	<-entered
	alone := make(chan string, 1)
	go func() {
		v, _, _ := f.Get(t.Context(), "2", value("two"))
		alone <- v
	}()
	eventually(t, "the other waits", func() bool { return cache.Waiters(f, "2") == 2 })
	close(release)
	if got := <-done; !maps.Equal(got, map[string]string{"1": "one"}) {
		t.Errorf("the batch got %v", got)
	}
	if v := <-alone; v != "two" {
		t.Errorf("alone: %q", v)
	}
}

func TestPanicOfABatchReachesItsCallers(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "oops") {
			t.Errorf("recovered %v", err)
		}
	}()
	_, _, _ = f.GetMany(t.Context(), []string{"1", "2"}, func(context.Context, []string) (map[string]cache.Loaded[string], error) { panic("oops") })
	t.Error("the panic was swallowed")
}

// GetMany serves what has just expired at once and refreshes it in one load, in either tier.
func TestGetManyStaleWhileRevalidate(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	o := cache.FamilyOptions{TTL: 50 * time.Millisecond, StaleFor: time.Minute, Beta: -1}
	f := cache.New[string](a, "row", o)
	var d db
	keys := []string{"1", "2"}
	for _, k := range keys {
		d.set(k, "old")
	}
	many := func(f *cache.Family[string]) map[string]string {
		t.Helper()
		got, _, err := f.GetMany(t.Context(), keys, d.loadMany)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	many(f)
	eventually(t, "the values expire in L2 too, and are served by a process that never had them", func() bool {
		g := cache.New[string](b, "row", o)
		got, src, err := g.GetMany(t.Context(), keys, func(context.Context, []string) (map[string]cache.Loaded[string], error) { return nil, errDatabase })
		stats := b.Stats().Families
		return err == nil && got["1"] == "old" && src == cache.L2 && stats[len(stats)-1].Stale == 2
	})
	expired(t, f, "1")
	before := d.count()
	for _, k := range keys {
		d.set(k, "new")
	}
	if got := many(f); got["1"] != "old" || got["2"] != "old" {
		t.Errorf("somebody waited: %v", got)
	}
	eventually(t, "the refresh arrives", func() bool { got := many(f); return got["1"] == "new" && got["2"] == "new" })
	if n := d.count(); n < before+1 {
		t.Errorf("%d loads", n-before)
	}
}

func TestGetManyTimeouts(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{TTL: 3 * time.Second, FailSafe: time.Minute,
		SoftTimeout: 10 * time.Millisecond, HardTimeout: 20 * time.Millisecond})
	var d db
	d.set("1", "old")
	eventually(t, "there is something old", func() bool { // on a busy machine this may take too long, too
		_, _, err := f.GetMany(t.Context(), []string{"1"}, d.loadMany)
		return err == nil
	})
	expired(t, f, "1")
	d.set("1", "new")
	release := make(chan struct{})
	slow := func(ctx context.Context, missing []string) (map[string]cache.Loaded[string], error) {
		select {
		case <-release:
			return d.loadMany(ctx, missing)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if got, _, err := f.GetMany(t.Context(), []string{"1"}, slow); got["1"] != "old" || err != nil {
		t.Errorf("with something old at hand: %v, %v", got, err)
	}
	if _, _, err := f.GetMany(t.Context(), []string{"1", "2"}, slow); !errors.Is(err, cache.ErrTimeout) {
		t.Errorf("with nothing at hand for one: %v", err)
	}
	close(release)
	eventually(t, "the load is finished in the background", func() bool { v, ok := f.Peek("1"); return ok && v == "new" })
}

// Loads and exchanges with Redis are told of by family.
func TestObserve(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]int{}
	a, b, _ := pair(t, localtest.Redis(t).Addr, func(o *cache.Options) {
		o.Observe = func(family string, by cache.Source, took time.Duration, failed bool) {
			mu.Lock()
			defer mu.Unlock()
			told[family+" "+by.String()]++
			if failed || took <= 0 {
				t.Errorf("%s %v: %v, %v", family, by, took, failed)
			}
		}
	})
	var d db
	d.set("1", "v1")
	get(t, cache.New[string](a, "row", cache.FamilyOptions{}), &d, "1")
	settled(t, a, "row", "1", "v1")
	if _, src := get(t, cache.New[string](b, "row", cache.FamilyOptions{}), &d, "1"); src != cache.L2 {
		t.Fatalf("from %v", src)
	}
	mu.Lock()
	defer mu.Unlock()
	if told["row load"] != 1 || told["row l2"] < 2 {
		t.Errorf("%v", told)
	}
}
