package batch_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/batch"
)

// gate is a Run that takes a second of the bubble's time and notes its batches.
type gate struct {
	mu      sync.Mutex
	batches [][]int
	starts  []time.Time
}

func (g *gate) run(_ context.Context, _ string, items []int) ([]batch.Result[int], error) {
	g.mu.Lock()
	g.batches = append(g.batches, slices.Clone(items))
	g.starts = append(g.starts, time.Now())
	g.mu.Unlock()
	time.Sleep(time.Second)
	return echo(context.Background(), "", items)
}

// submit sends items one after the other, each from a goroutine of its own, and returns when all are queued or under way.
func submit(t *testing.T, wg *sync.WaitGroup, b *batch.Batcher[int, int], key string, items ...int) {
	t.Helper()
	for _, v := range items {
		wg.Go(func() {
			if got, err := b.Submit(t.Context(), key, v); err != nil || got != v {
				t.Errorf("%d: got %d, %v", v, got, err)
			}
		})
		synctest.Wait()
	}
}

// An idle key runs at once; behind a running batch the next one gathers, in order and up to its size.
func TestGathersBehindARunningBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := batch.New(batch.Options[int, int]{Run: g.run, MaxSize: 3})
		var wg sync.WaitGroup
		start := time.Now()
		submit(t, &wg, b, "k", 1, 2, 3, 4, 5)
		wg.Wait()
		if !slices.EqualFunc(g.batches, [][]int{{1}, {2, 3, 4}, {5}}, slices.Equal) {
			t.Errorf("batches %v", g.batches)
		}
		if d := g.starts[0].Sub(start); d != 0 {
			t.Errorf("an idle key waited %v", d)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAreIndependentAndParallelIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := batch.New(batch.Options[int, int]{Run: g.run, Parallel: 2})
		var wg sync.WaitGroup
		start := time.Now()
		submit(t, &wg, b, "a", 1, 2, 3, 4)
		submit(t, &wg, b, "b", 5)
		if s := b.Stats(); s.Running != 3 || s.Queued != 2 || s.Keys != 2 {
			t.Errorf("%+v", s)
		}
		wg.Wait()
		if !slices.EqualFunc(g.batches, [][]int{{1}, {2}, {5}, {3, 4}}, slices.Equal) || time.Since(start) != 2*time.Second {
			t.Errorf("batches %v in %v", g.batches, time.Since(start))
		}
		_ = b.Close(t.Context())
	})
}

// What is about the same thing is never under way together and keeps its order; the rest passes by.
func TestApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := batch.New(batch.Options[int, int]{Run: g.run, Apart: func(v int) string {
			if v < 10 {
				return ""
			}
			return fmt.Sprint(v / 10)
		}})
		var wg sync.WaitGroup
		submit(t, &wg, b, "k", 1, 10, 2, 11, 20, 12, 3, 21)
		wg.Wait()
		if !slices.EqualFunc(g.batches, [][]int{{1}, {10, 2, 20, 3}, {11, 21}, {12}}, slices.Equal) {
			t.Errorf("batches %v", g.batches)
		}
		_ = b.Close(t.Context())
	})
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		refusing := batch.New(batch.Options[int, int]{Run: g.run, MaxQueue: 2})
		var wg sync.WaitGroup
		submit(t, &wg, refusing, "k", 1, 2, 3)
		if _, err := refusing.Submit(t.Context(), "k", 4); !errors.Is(err, batch.ErrFull) {
			t.Errorf("full: %v", err)
		}
		if _, err := refusing.Submit(t.Context(), "other", 4); err != nil {
			t.Errorf("another key: %v", err)
		}
		wg.Wait()
		unbounded := batch.New(batch.Options[int, int]{Run: g.run, MaxQueue: -1})
		submit(t, &wg, unbounded, "k", 1, 2, 3, 4, 5)
		wg.Wait()
		if n := refusing.Stats().Full; n != 1 {
			t.Errorf("%d refused", n)
		}
		_, _ = refusing.Close(t.Context()), unbounded.Close(t.Context())
	})
}

func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		var orphans []int
		b := batch.New(batch.Options[int, int]{Run: g.run, OnOrphan: func(key string, item int, out batch.Result[int]) {
			if key != "k" || out.Value != item || out.Err != nil {
				t.Errorf("%s: %d: %+v", key, item, out)
			}
			orphans = append(orphans, item)
			panic("ignored")
		}})
		var wg sync.WaitGroup
		early, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		for _, v := range []int{1, 2} { // 1 runs, 2 is queued
			wg.Go(func() {
				if _, err := b.Submit(early, "k", v); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d: %v", v, err)
				}
			})
			synctest.Wait()
		}
		submit(t, &wg, b, "k", 3)
		wg.Wait()
		if !slices.EqualFunc(g.batches, [][]int{{1}, {3}}, slices.Equal) || !slices.Equal(orphans, []int{1}) {
			t.Errorf("batches %v, orphans %v", g.batches, orphans)
		}
		if _, err := b.Submit(early, "k", 9); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dead on arrival: %v", err)
		}
		if s := b.Stats(); s.Submitted != 3 || s.Withdrawn != 1 || s.Orphans != 1 || s.Finished != 2 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
		_ = b.Close(t.Context())
	})
}

func TestIdleKeysLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Options[int, int]{Run: echo, IdleAfter: time.Minute})
		before := runtime.NumGoroutine()
		for i := range 50 {
			if _, err := b.Submit(t.Context(), fmt.Sprint(i), i); err != nil {
				t.Error(err)
			}
		}
		if s := b.Stats(); s.Keys != 50 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		// 50 keys would leave 50 behind; a few more or less are the runtime's own and those of tests beside this one
		if s := b.Stats(); s.Keys != 0 || runtime.NumGoroutine() > before+25 {
			t.Errorf("%+v, %d goroutines, before %d", s, runtime.NumGoroutine(), before)
		}
		_, err := b.Submit(t.Context(), "0", 1)
		if err != nil {
			t.Error(err)
		}
		_ = b.Close(t.Context())
	})
}

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := batch.New(batch.Options[int, int]{Run: g.run})
		var wg sync.WaitGroup
		submit(t, &wg, b, "k", 1, 2, 3)
		for range 2 {
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if _, err := b.Submit(t.Context(), "k", 4); !errors.Is(err, batch.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A Run that does not heed its context keeps neither Close nor what is queued.
func TestCloseLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := batch.New(batch.Options[int, int]{Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			<-release
			return nil, ctx.Err()
		}})
		errs := make(chan error, 2)
		for v := range 2 {
			go func() {
				_, err := b.Submit(context.Background(), "k", v)
				errs <- err
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if err := <-errs; !errors.Is(err, batch.ErrClosed) {
			t.Errorf("queued: %v", err)
		}
		close(release)
		if err := <-errs; !errors.Is(err, batch.ErrUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("running: %v", err)
		}
	})
}

// Company is waited for only when the pace of late says that it comes.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		b := batch.New(batch.Options[int, int]{MaxLinger: 2 * time.Millisecond, Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			sizes = append(sizes, len(items))
			time.Sleep(8 * time.Millisecond)
			return echo(ctx, key, items)
		}})
		var wg sync.WaitGroup
		for range 20 { // bursts of ten, 0.1 ms apart, then quiet until all are done
			for range 10 {
				wg.Go(func() { _, _ = b.Submit(t.Context(), "k", 1) })
				time.Sleep(100 * time.Microsecond)
			}
			wg.Wait()
		}
		if s := b.Stats(); s.Lingers == 0 || sizes[0] != 1 || slices.Max(sizes) != 10 {
			t.Errorf("in bursts: %+v, sizes %v", s, sizes)
		}
		before := b.Stats().Lingers
		sizes = nil
		for range 20 { // now and then one
			start := time.Now()
			_, _ = b.Submit(t.Context(), "k", 1)
			if d := time.Since(start); len(sizes) > 10 && d != 8*time.Millisecond {
				t.Errorf("a lonely request took %v", d)
			}
			time.Sleep(time.Second)
		}
		if n := b.Stats().Lingers - before; n > 10 {
			t.Errorf("lingered %d times for nobody", n)
		}
		_ = b.Close(t.Context())
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"a", "b"} { // they share the collectors
		b := batch.New(batch.Options[int, int]{Run: echo, Name: name, Registerer: reg})
		closing(t, b)
		for i := range 3 {
			if _, err := b.Submit(t.Context(), "k", i); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range found {
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() == 3 || m.GetHistogram().GetSampleCount() == 3 {
				series[f.GetName()]++
			}
		}
	}
	want := map[string]int{"batch_items_total": 2, "batch_size": 2, "batch_wait_seconds": 2, "batch_run_seconds": 2}
	if !maps.Equal(series, want) {
		t.Errorf("%v", series)
	}
}
