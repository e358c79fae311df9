package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestTiersAnswerInOrder(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "one")
	if v, src := get(t, fa, &d, "k"); v != "one" || src != cache.Load {
		t.Fatalf("first: %q from %v", v, src)
	}
	if v, src := get(t, fa, &d, "k"); v != "one" || src != cache.L1 {
		t.Errorf("again: %q from %v", v, src)
	}
	settled(t, a, "row", "k", "one")
	if v, src := get(t, fb, &d, "k"); v != "one" || src != cache.L2 {
		t.Errorf("other process: %q from %v", v, src)
	}
	if d.count() != 1 {
		t.Errorf("%d loads, want 1", d.count())
	}
	cache.Bytes(fa) // maintenance, else the weight may come late
	st := a.Stats()
	if f := st.Families[0]; f.L1Hits != 1 || f.Loads != 1 || f.L1Entries != 1 || f.L1Bytes == 0 || !st.L2.Up {
		t.Errorf("stats: %+v", st)
	}
}

func TestWithoutRedisOrBus(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "old")
	get(t, f, &d, "k")
	d.set("k", "new")
	if v, src := get(t, f, &d, "k"); v != "old" || src != cache.L1 {
		t.Errorf("before: %q from %v", v, src)
	}
	if err := s.Invalidate(t.Context(), []string{"k"}); err != nil {
		t.Fatal(err)
	}
	if v, src := get(t, f, &d, "k"); v != "new" || src != cache.Load {
		t.Errorf("after: %q from %v", v, src)
	}
	if _, ok := f.Peek("other"); ok {
		t.Error("Peek made something up")
	}
	s.Close()
	if _, _, err := f.Get(t.Context(), "other", d.load("other")); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestAbsenceIsCachedAndErrorsAreNot(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	o := cache.FamilyOptions{NotFound: func(err error) bool { return errors.Is(err, errNoRow) }, NegativeTTL: time.Minute}
	fa, fb := cache.New[string](a, "row", o), cache.New[string](b, "row", o)
	var d db
	for range 3 {
		if _, _, err := fa.Get(t.Context(), "k", d.load("k")); !errors.Is(err, errNoRow) {
			t.Fatalf("got %v", err)
		}
	}
	if d.count() != 1 {
		t.Errorf("%d loads of an absence, want 1", d.count())
	}
	eventually(t, "the absence reaches the other process", func() bool {
		_, src, err := fb.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
			return "", nil, errors.New("not cached")
		})
		return src == cache.L2 && errors.Is(err, cache.ErrNotFound)
	})
	d.set("k", "born")
	if err := b.Invalidate(t.Context(), []string{"k"}); err != nil {
		t.Fatal(err)
	}
	if v, _ := get(t, fa, &d, "k"); v != "born" {
		t.Errorf("after creation: %q", v)
	}
	fails := 0
	for range 2 {
		_, _, err := fa.Get(t.Context(), "broken", func(context.Context) (string, []string, error) {
			fails++
			return "", []string{"broken"}, fmt.Errorf("database: %w", context.DeadlineExceeded)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	if fails != 2 {
		t.Errorf("a failure was cached: %d loads", fails)
	}
}

func TestOneLoadForAThousandCallers(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{Redis: []string{localtest.Redis(t).Addr}})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	var loads atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			v, _, err := f.Get(t.Context(), "hot", func(context.Context) (string, []string, error) {
				loads.Add(1)
				return "value", []string{"hot"}, nil
			})
			if err != nil || v != "value" {
				t.Errorf("got %q, %v", v, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want exactly 1", n)
	}
}

func TestLoadOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) (string, []string, error) {
		close(entered)
		select {
		case <-release:
			return "value", nil, nil
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := f.Get(ctx, "k", load)
		first <- err
	}()
	<-entered
	second := make(chan string, 1)
	go func() {
		v, _, err := f.Get(t.Context(), "k", func(context.Context) (string, []string, error) {
			return "", nil, errors.New("a second load")
		})
		second <- fmt.Sprint(v, err)
	}()
	eventually(t, "the second caller waits", func() bool { return cache.Waiters(f, "k") == 2 })
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller got %v", err)
	}
	close(release)
	if got := <-second; got != "value<nil>" {
		t.Errorf("the second caller got %s", got)
	}
}

func TestLoadEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	_, _, err := f.Get(ctx, "k", func(ctx context.Context) (string, []string, error) {
		leave()
		<-ctx.Done()
		ended <- ctx.Err()
		return "", nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the load ended with %v", err)
	}
	if v, _, err := f.Get(t.Context(), "k", func(context.Context) (string, []string, error) { return "fine", nil, nil }); v != "fine" || err != nil {
		t.Errorf("the next caller got %q, %v", v, err)
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{})
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "oops") || !strings.Contains(err.Error(), "tiers_test.go") {
			t.Errorf("recovered %v", err)
		}
	}()
	_, _, _ = f.Get(t.Context(), "k", func(context.Context) (string, []string, error) { panic("oops") })
	t.Error("the panic was swallowed")
}

func TestSchemasAndExpiry(t *testing.T) {
	t.Parallel()
	s := store(t, cache.Options{Redis: []string{localtest.Redis(t).Addr}})
	var d db
	d.set("k", "v1")
	get(t, cache.New[string](s, "row", cache.FamilyOptions{Schema: 1}), &d, "k")
	settledAt := cache.FamilyOptions{Schema: 1, L1TTL: time.Nanosecond}
	eventually(t, "stored", func() bool {
		_, src := get(t, cache.New[string](s, "row", settledAt), &d, "k")
		return src == cache.L2
	})
	if _, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{Schema: 2}), &d, "k"); src != cache.Load {
		t.Errorf("another schema was answered from %v", src)
	}
	short := cache.New[string](s, "short", cache.FamilyOptions{TTL: 30 * time.Millisecond})
	d.set("s", "a")
	get(t, short, &d, "s")
	d.set("s", "b")
	eventually(t, "the value expires in both tiers", func() bool { v, _ := get(t, short, &d, "s"); return v == "b" })
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	f := cache.New[string](store(t, cache.Options{}), "row", cache.FamilyOptions{L1Bytes: 64 << 10})
	big := strings.Repeat("x", 1000)
	for i := range 1000 {
		_, _, err := f.Get(t.Context(), fmt.Sprint(i), func(context.Context) (string, []string, error) { return big, nil, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "memory falls below its bound", func() bool { return cache.Bytes(f) <= 64<<10 })
	if cache.Bytes(f) == 0 {
		t.Error("nothing was kept")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s := store(t, cache.Options{Registerer: reg})
	f := cache.New[string](s, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "v")
	get(t, f, &d, "k")
	get(t, f, &d, "k")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, mf := range families {
		for _, m := range mf.GetMetric() {
			name := mf.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetSummary().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{"stampede_cache_hits_total,row,l1": 1, "stampede_cache_misses_total,row,l1": 1,
		"stampede_cache_l1_misses_total,row,cold": 1, "stampede_cache_loads_total,row": 1, "stampede_cache_l1_entries,row": 1,
		"stampede_cache_seconds,row,source": 1} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v (there: %v), want %v", name, v, ok, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	if _, err := cache.NewStore(cache.Options{Redis: []string{"ftp://x"}}); !errors.Is(err, cache.ErrOptions) {
		t.Errorf("got %v", err)
	}
}

// The figures by tier say what happened: one load, then memory, then Redis in another process, a remembered absence, a refused fill.
func TestFiguresByTier(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	o := cache.FamilyOptions{NotFound: func(err error) bool { return errors.Is(err, errNoRow) }, NegativeTTL: time.Minute}
	fa, fb := cache.New[string](a, "row", o), cache.New[string](b, "row", o)
	var d db
	d.set("k", "v")
	get(t, fa, &d, "k")
	get(t, fa, &d, "k")
	_, _, _ = fa.Get(t.Context(), "none", d.load("none"))
	_, _, _ = fa.Get(t.Context(), "none", d.load("none"))
	cache.Settle(a)
	get(t, fb, &d, "k")
	_, _, _ = fb.Get(t.Context(), "none", d.load("none"))
	_, _, _ = fb.Get(t.Context(), "refused", func(ctx context.Context) (string, []string, error) {
		return "old", []string{"refused"}, a.Invalidate(ctx, []string{"refused"})
	})
	cache.Settle(b)
	check := func(name string, s *cache.Store, want ...cache.TierStats) {
		t.Helper()
		got := s.Stats().Families[0].Tiers()
		for i, w := range want {
			g := got[i]
			if g.Tier != w.Tier || g.Asked != w.Asked || g.Hits != w.Hits || g.Misses != w.Misses || g.Saved != w.Saved || g.Refused != w.Refused {
				t.Errorf("%s: %+v, want %+v", name, g, w)
			}
		}
	}
	check("loading", a, cache.TierStats{Tier: "l1", Asked: 4, Hits: 2, Misses: 2, Saved: 2}, cache.TierStats{Tier: "l2", Asked: 2, Misses: 2},
		cache.TierStats{Tier: "source", Asked: 2, Hits: 2})
	check("other", b, cache.TierStats{Tier: "l1", Asked: 3, Misses: 3, Refused: 1}, cache.TierStats{Tier: "l2", Asked: 3, Hits: 2, Misses: 1, Saved: 2},
		cache.TierStats{Tier: "source", Asked: 1, Hits: 1})
	sum := a.Stats().Families[0].Tiers()[1].Add(b.Stats().Families[0].Tiers()[1])
	if sum.Asked != 5 || sum.HitRate() != 0.4 || sum.Bytes == 0 || sum.BytesIn == 0 || sum.Time.Count != 5 {
		t.Errorf("together: %+v", sum)
	}
}
