package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// The network between both processes and Redis is cut: nothing is refused or closed, it just hangs.
func TestNetworkCut(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	p := newProxy(t, r.Addr)
	outage(t, &localtest.RedisServer{Addr: p.addr}, hasty, p.cut, p.restore)
}

// One process is cut off, the other is not: what either invalidates is gone for both, during and after.
func TestOneProcessCutOff(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	p := newProxy(t, r.Addr)
	wire := &bus{}
	o := cache.Options{Bus: wire, Probe: 50 * time.Millisecond}
	hasty(&o)
	o.Redis = []string{p.addr}
	cut := store(t, o)
	o.Redis, o.Timeout = []string{r.Addr}, 0
	whole := store(t, o)
	stores := map[string]*cache.Store{"cut": cut, "whole": whole}
	families := map[string]*cache.Family[string]{}
	var d db
	for name, s := range stores {
		families[name] = cache.New[string](s, "row", cache.FamilyOptions{})
		d.set("k", "first")
		get(t, families[name], &d, "k")
	}
	p.cut()
	for i := range 10 {
		v := strconv.Itoa(i)
		d.set("k", v)
		if i%2 == 0 {
			_ = cut.Invalidate(t.Context(), []string{"k"}) // it cannot confirm
		} else if err := whole.Invalidate(t.Context(), []string{"k"}); err != nil {
			t.Fatal(err)
		}
		for name, f := range families {
			if got, src := get(t, f, &d, "k"); got != v {
				t.Fatalf("%s: %q from %v, want %q", name, got, src, v)
			}
		}
	}
	p.restore()
	eventually(t, "the link is back", func() bool { return cut.Stats().L2.Up })
	for name, s := range stores {
		if v, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{}), &d, "k"); v != "9" {
			t.Errorf("%s: %q from %v afterwards", name, v, src)
		}
	}
}

// Redis is flushed in the middle of it: everything misses, nothing old comes back, and the source is protected for a while.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	a, b, _ := pair(t, r.Addr, func(o *cache.Options) { o.Beat = 20 * time.Millisecond })
	fa := cache.New[string](a, "row", cache.FamilyOptions{})
	var d db
	d.set("k", "old")
	get(t, fa, &d, "k")
	settled(t, b, "row", "k", "old")
	c := client(t, r.Addr)
	if err := c.Do(t.Context(), c.B().Flushall().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	d.set("k", "new")
	if err := b.Invalidate(t.Context(), []string{"k"}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*cache.Store{"a": a, "b": b} {
		if v, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
			t.Errorf("%s: %q from %v", name, v, src)
		}
	}
	if v, src := get(t, fa, &d, "k"); v != "new" {
		t.Errorf("memory: %q from %v", v, src)
	}
	eventually(t, "the loss is noticed", func() bool { return a.Stats().L2.Cold && b.Stats().L2.Cold })
	settled(t, b, "row", "k", "new")
}

// Redis is full and refuses to store: reads go on, and what cannot be told to Redis is not forgotten.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	a, b, _ := pair(t, r.Addr, nil)
	f := cache.New[string](a, "row", cache.FamilyOptions{CompressAbove: -1})
	var d db
	d.set("k", "old")
	get(t, f, &d, "k")
	settled(t, b, "row", "k", "old")
	c := client(t, r.Addr)
	eventually(t, "it is full", func() bool {
		err := c.Do(t.Context(), c.B().Append().Key("ballast").Value(strings.Repeat("x", 64<<10)).Build()).Error()
		return err != nil && strings.Contains(err.Error(), "OOM")
	})
	d.set("k", "new")
	if err := a.Invalidate(t.Context(), []string{"k"}); !errors.Is(err, cache.ErrUnconfirmed) {
		t.Errorf("a full Redis confirmed: %v", err)
	}
	for _, s := range []*cache.Store{a, b} {
		if v, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
			t.Errorf("%q from %v while it is full", v, src)
		}
	}
	if err := c.Do(t.Context(), c.B().Del().Key("ballast").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis is in use again", func() bool { return a.Stats().L2.Up && b.Stats().L2.Up })
	for _, s := range []*cache.Store{a, b} {
		if v, src := get(t, cache.New[string](s, "row", cache.FamilyOptions{}), &d, "k"); v != "new" {
			t.Errorf("%q from %v afterwards", v, src)
		}
	}
}

// lossy is a bus that loses messages and says they arrived.
type lossy struct {
	bus
	deaf atomic.Bool
}

func (l *lossy) Broadcast(ctx context.Context, data []byte) error {
	if l.deaf.Load() {
		return nil
	}
	return l.bus.Broadcast(ctx, data)
}

// A message gets lost and nobody knows: Redis knows how many there were.
func TestLostMessageIsNoticed(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	wire := &lossy{}
	var unheard atomic.Int64
	o := cache.Options{Redis: []string{r.Addr}, Bus: wire, Beat: 20 * time.Millisecond, Unheard: func(context.Context) { unheard.Add(1) }}
	a, b := store(t, o), store(t, o)
	fa, fb := cache.New[string](a, "row", cache.FamilyOptions{}), cache.New[string](b, "row", cache.FamilyOptions{})
	var d db
	for name, lose := range map[string]func() error{
		"tag": func() error { return a.Invalidate(t.Context(), []string{"k"}) },
		"key": func() error { return fa.Delete(t.Context(), "k") },
		"set": func() error { return fa.Set(t.Context(), "k", "x", "k") },
		"update": func() error {
			_, err := fa.Update(t.Context(), "k", func(string) (string, error) { return "x", nil })
			return err
		},
		"clear": func() error { return a.Clear(t.Context()) },
	} {
		d.set("k", "old "+name)
		if err := a.Invalidate(t.Context(), []string{"k"}); err != nil {
			t.Fatal(err)
		}
		get(t, fb, &d, "k")
		settled(t, b, "row", "k", "old "+name)
		if v, src := get(t, fb, &d, "k"); v != "old "+name || src != cache.L1 {
			t.Fatalf("%s: %q from %v", name, v, src)
		}
		lost, asked := b.Stats().L2.Lost, unheard.Load()
		wire.deaf.Store(true)
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is noticed", func() bool { return b.Stats().L2.Lost > lost && unheard.Load() > asked })
		d.set("k", "new")
		if v, ok := fb.Peek("k"); ok && strings.HasPrefix(v, "old") {
			t.Errorf("%s: %q is still served", name, v)
		}
		wire.deaf.Store(false)
	}
	nothingImagined(t, r.Addr)
}

// nothingImagined checks over some beats that while no message is lost, nothing is dropped. A beat is longer here than a busy machine
// holds a message up.
func nothingImagined(t *testing.T, redis string) {
	const beat = 300 * time.Millisecond
	a, b, _ := pair(t, redis, func(o *cache.Options) { o.Beat, o.Prefix = beat, "whole:" })
	for end := time.Now().Add(4 * beat); time.Now().Before(end); {
		if err := a.Invalidate(t.Context(), []string{"other"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.Stats().L2.Lost; n != 0 {
		t.Errorf("%d losses imagined", n)
	}
}

// While Redis is out, a family loads only so much at a time.
func TestGutterProtectsTheSource(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	s := store(t, cache.Options{Redis: []string{r.Addr}, Timeout: 50 * time.Millisecond, Trip: 1})
	f := cache.New[string](s, "row", cache.FamilyOptions{Gutter: 3, LoadTimeout: 30 * time.Second})
	r.Kill()
	eventually(t, "Redis is left alone", func() bool {
		_, _, err := f.Get(t.Context(), fmt.Sprint("probe", time.Now().UnixNano()), value("v"))
		return err == nil && !s.Stats().L2.Up
	})
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, _, err := f.Get(t.Context(), strconv.Itoa(i), func(context.Context) (string, []string, error) {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				<-time.After(time.Millisecond)
				now.Add(-1)
				return "v", nil, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d loads at a time, want at most 3", n)
	}
	if st := s.Stats().Families[0]; st.Gutter < 100 {
		t.Errorf("%+v", st)
	}
}

// A queue without end would only move the overload: who cannot be served in time is told so.
func TestGutterIsBounded(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	s := store(t, cache.Options{Redis: []string{r.Addr}, Timeout: 50 * time.Millisecond, Trip: 1})
	r.Kill()
	f := cache.New[string](s, "row", cache.FamilyOptions{Gutter: 1, LoadTimeout: 30 * time.Second})
	eventually(t, "Redis is left alone", func() bool {
		_, _, err := f.Get(t.Context(), fmt.Sprint("probe", time.Now().UnixNano()), value("v"))
		return err == nil && !s.Stats().L2.Up
	})
	release := make(chan struct{})
	var refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			_, _, err := f.Get(t.Context(), strconv.Itoa(i), func(context.Context) (string, []string, error) { <-release; return "v", nil, nil })
			if errors.Is(err, cache.ErrOverloaded) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the queue is full", func() bool { return refused.Load() >= 49 })
	close(release)
	wg.Wait()
	if n := refused.Load(); n > 50 {
		t.Errorf("%d refused", n)
	}
}
