package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"pgregory.net/rapid"
)

// Whatever is read, written, forgotten and cleared in whichever process: a read sees what was written last.
func TestModel(t *testing.T) {
	t.Parallel()
	redis := localtest.Redis(t).Addr
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		prefix := fmt.Sprintf("run%d:", runs.Add(1))
		a, b, _ := pair(t, redis, func(o *cache.Options) { o.Prefix = prefix })
		defer a.Close()
		defer b.Close()
		stores := []*cache.Store{a, b}
		o := cache.FamilyOptions{NotFound: func(err error) bool { return err == errNoRow }, L1Bytes: 2048}
		families := []*cache.Family[string]{cache.New[string](a, "row", o), cache.New[string](b, "row", o)}
		var d db
		model := map[string]string{}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		side := rapid.IntRange(0, 1)
		check := func(k, v string, found bool) {
			if want, ok := model[k]; ok != found || v != want {
				rt.Fatalf("%q = %q (found %v), want %q (%v)", k, v, found, want, ok)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"get": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				v, _, err := families[side.Draw(rt, "side")].Get(t.Context(), k, d.load(k))
				check(k, v, err == nil)
			},
			"many": func(rt *rapid.T) {
				keys := rapid.SliceOf(key).Draw(rt, "keys")
				got, _, err := families[side.Draw(rt, "side")].GetMany(t.Context(), keys, d.loadMany)
				if err != nil {
					rt.Fatal(err)
				}
				for _, k := range keys {
					v, ok := got[k]
					check(k, v, ok)
				}
			},
			"write": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.StringMatching(`[a-z]{0,3}`).Draw(rt, "value")
				if d.set(k, v); v == "" {
					delete(model, k)
				} else {
					model[k] = v
				}
				if err := stores[side.Draw(rt, "side")].Invalidate(t.Context(), []string{k}); err != nil {
					rt.Fatal(err)
				}
			},
			"set": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.StringMatching(`[a-z]{1,3}`).Draw(rt, "value")
				d.set(k, v)
				model[k] = v
				if err := families[side.Draw(rt, "side")].Set(t.Context(), k, v, k); err != nil {
					rt.Fatal(err)
				}
			},
			"update": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				old, ok := model[k]
				if !ok {
					rt.Skip("nothing there")
				}
				d.set(k, old+"+")
				model[k] = old + "+"
				_, err := families[side.Draw(rt, "side")].Update(t.Context(), k, func(v string) (string, error) { return v + "+", nil })
				if err != nil {
					rt.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				d.set(k, "")
				delete(model, k)
				if err := families[side.Draw(rt, "side")].Delete(t.Context(), k); err != nil {
					rt.Fatal(err)
				}
			},
			"clear": func(rt *rapid.T) {
				if err := stores[side.Draw(rt, "side")].Clear(t.Context()); err != nil {
					rt.Fatal(err)
				}
			},
			"forget": func(rt *rapid.T) {
				cache.Forget(t, a, prefix+rapid.SampledFrom([]string{"clock", "t:*", "v:row:*"}).Draw(rt, "what"))
			},
		})
	})
}

func (d *db) loadMany(_ context.Context, missing []string) (map[string]cache.Loaded[string], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	out := map[string]cache.Loaded[string]{}
	for _, k := range missing {
		v, ok := d.rows[k]
		out[k] = cache.Loaded[string]{Value: v, Tags: []string{k}, Absent: !ok}
	}
	return out, nil
}

// Readers and writers race in two processes: no read returns less than what was written and invalidated before it began.
func TestNoReadOlderThanAFinishedWrite(t *testing.T) {
	t.Parallel()
	a, b, _ := pair(t, localtest.Redis(t).Addr, nil)
	stores := []*cache.Store{a, b}
	families := []*cache.Family[int64]{
		cache.New[int64](a, "n", cache.FamilyOptions{}),
		// This process forgets at once: it lives on L2.
		cache.New[int64](b, "n", cache.FamilyOptions{L1TTL: time.Nanosecond})}
	const keys = 3
	var rows, finished [keys]atomic.Int64
	var wg sync.WaitGroup
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var reads atomic.Int64
	shown := func() bool { return b.Stats().Families[0].L2Hits > 0 && reads.Load() >= 1000 }
	begun := time.Now()
	for k := range keys {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := rows[k].Add(1)
				if err := stores[rand.IntN(2)].Invalidate(t.Context(), []string{strconv.Itoa(k)}); err != nil {
					t.Error(err)
				}
				finished[k].Store(n)
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // leaves room for hits
			}
		})
	}
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if time.Since(begun) > time.Second && shown() {
					stop()
				}
				k := rand.IntN(keys)
				floor := finished[k].Load()
				v, src, err := families[rand.IntN(2)].Get(t.Context(), strconv.Itoa(k), func(context.Context) (int64, []string, error) {
					n := rows[k].Load()
					for range rand.IntN(20) {
						runtime.Gosched()
					}
					return n, []string{strconv.Itoa(k)}, nil
				})
				if err != nil || v < floor {
					t.Errorf("read %d from %v (%v), but %d was finished before", v, src, err, floor)
					return
				}
				reads.Add(1)
			}
		})
	}
	wg.Wait()
	if !shown() {
		t.Errorf("only %d reads, %d from L2: the test shows nothing", reads.Load(), b.Stats().Families[0].L2Hits)
	}
}
