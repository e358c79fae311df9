package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestInvalidationReachesEveryProcess(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	for i := range 50 {
		d.set("k", fmt.Sprint("value ", i))
		d.set("other", "same")
		if err := a.Invalidate(t.Context(), []string{"k"}); err != nil {
			t.Fatal(err)
		}
		for _, f := range []*cache.Family[string]{fb, fa, fb} {
			if v, src := get(t, f, &d, "k"); v != fmt.Sprint("value ", i) {
				t.Fatalf("round %d: %q from %v", i, v, src)
			}
			get(t, f, &d, "other")
		}
	}
	if n := d.count(); n > 2*50+2+3 { // at most one load in each process and round; "other" stays
		t.Errorf("%d loads: too many, unrelated values are dropped", n)
	}
	settled(t, b, "row", "k", "value 49")
	if err := b.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := d.count()
	if _, src := get(t, fa, &d, "other"); src != cache.Load || d.count() != before+1 {
		t.Errorf("after Clear: from %v", src)
	}
}

// A load that was on its way when its tag was invalidated may answer those who were waiting for it, but is stored nowhere, and
// does not answer who comes after the invalidation.
func TestLoadOvertakenByInvalidation(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	for name, purge := range map[string]func(loader, other *cache.Store) error{
		"here":  func(l, _ *cache.Store) error { return l.Invalidate(context.Background(), []string{"tag"}) },
		"there": func(_, o *cache.Store) error { return o.Invalidate(context.Background(), []string{"tag"}) },
		"clear": func(_, o *cache.Store) error { return o.Clear(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b, _ := pair(t, redis, func(o *cache.Options) { o.Prefix = name + ":" })
			overtake(t, a, b, purge)
		})
	}
	t.Run("bus lost it", func(t *testing.T) {
		t.Parallel()
		a, b, wire := pair(t, redis, func(o *cache.Options) { o.Prefix = "lost:" })
		fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
		entered, release := make(chan struct{}), make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _, _ = fa.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
				close(entered)
				<-release
				return "old", []string{"tag"}, nil
			})
		}()
		<-entered
		wire.breakWith(errors.New("no route"))
		if err := b.Invalidate(t.Context(), []string{"tag"}); !errors.Is(err, cache.ErrUnconfirmed) {
			t.Fatalf("a lost message gave %v", err)
		}
		close(release)
		<-done
		eventually(t, "the fill is refused by what Redis knows", func() bool { return a.Stats().Families[0].Refused == 1 })
		v, _, err := fb.Get(t.Context(), "k", func(context.Context) (string, []string, error) { return "new", []string{"tag"}, nil })
		if v != "new" || err != nil {
			t.Errorf("the other process got %q, %v", v, err)
		}
	})
}

func overtake(t *testing.T, a, b *cache.Store, purge func(a, b *cache.Store) error) {
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	var current atomic.Value
	current.Store("old")
	fresh := func(context.Context) (string, []string, error) { return current.Load().(string), []string{"tag"}, nil }
	var wg sync.WaitGroup
	wg.Go(func() {
		v, _, err := fa.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
			close(entered)
			<-release
			return "old", []string{"tag"}, nil
		})
		if v != "old" || err != nil {
			t.Errorf("who came before the write got %q, %v", v, err)
		}
	})
	<-entered
	current.Store("new")
	if err := purge(a, b); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { // joins the old load, and must not be content with it
		if v, _, err := fa.Get(t.Context(), "k", fresh); v != "new" || err != nil {
			t.Errorf("who came after the purge got %q, %v", v, err)
		}
	})
	eventually(t, "the second caller joins", func() bool { return cache.Waiters(fa, "k") == 2 })
	close(release)
	wg.Wait()
	for name, f := range map[string]*cache.Family[string]{"loading": fa, "other": fb} {
		if v, src, _ := f.Get(t.Context(), "k", fresh); v != "new" {
			t.Errorf("%s process: %q from %v", name, v, src)
		}
	}
	if n := a.Stats().Families[0].Refused; n == 0 {
		t.Error("nothing was refused")
	}
}

func TestMetaArrivesBeforeAnythingIsDropped(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	var lsn [2]atomic.Value
	wire := &bus{}
	var stores [2]*cache.Store
	for i := range stores {
		stores[i] = store(t, cache.Options{Redis: []string{redis}, Bus: wire, OnInvalidate: func(inv cache.Invalidation) {
			lsn[i].Store(inv.Meta["lsn"])
		}})
	}
	fb := cache.New[string](stores[1], "row", cache.FamilyOptions{})
	load := func(context.Context) (string, []string, error) {
		seen, _ := lsn[1].Load().(string)
		return "read at " + seen, []string{"tag"}, nil
	}
	if v, _, _ := fb.Get(t.Context(), "k", load); v != "read at " {
		t.Fatalf("first: %q", v)
	}
	for i := range 20 {
		want := fmt.Sprint(i)
		var wg sync.WaitGroup
		wg.Go(func() { // whoever reloads at any time in between must not leave an older reading behind
			for range 20 {
				_, _, _ = fb.Get(t.Context(), "k", load)
			}
		})
		if err := stores[0].InvalidateMeta(t.Context(), cache.Invalidation{Tags: []string{"tag"}, Meta: map[string]string{"lsn": want}}); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if v, src, _ := fb.Get(t.Context(), "k", load); v != "read at "+want {
			t.Fatalf("after %s: %q from %v", want, v, src)
		}
	}
	if got := lsn[0].Load(); got != "19" {
		t.Errorf("the sender itself heard %v", got)
	}
}

func TestUnreadableMessageDropsEverything(t *testing.T) {
	t.Parallel()
	wire := &bus{}
	f := cache.New[string](store(t, cache.Options{Bus: wire}), "row", cache.FamilyOptions{})
	var d db
	d.set("k", "v")
	get(t, f, &d, "k")
	if err := wire.Broadcast(t.Context(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, src := get(t, f, &d, "k"); src != cache.Load {
		t.Errorf("served from %v after a message nobody understood", src)
	}
}

// Where something is invalidated all the time, loads of tags that never were still get into L2.
func TestFillsAmongInvalidations(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	load := func(context.Context) (string, []string, error) {
		return "v", []string{"quiet"}, b.Invalidate(context.Background(), []string{"busy"}) // each load is overtaken
	}
	for i := range 3 {
		f := cache.New[string](a, "row", cache.FamilyOptions{})
		_, src, err := f.Get(t.Context(), "k", load)
		if err != nil {
			t.Fatal(err)
		}
		if src == cache.L2 {
			return
		}
		cache.Settle(a)
		if i == 2 {
			t.Error("nothing was stored")
		}
	}
}
