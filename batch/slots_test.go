package batch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/batch"
)

// groupOf is what stands before the slash.
func groupOf(key string) string { g, _, _ := strings.Cut(key, "/"); return g }

// walk lets 64 callers do three steps each, again and again, every step on one of four keys, and tells how large batches
// were.
func walk(t *testing.T, group func(string) string) (mean float64) {
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Options[int, int]{Slots: 4, Group: group,
			Run: func(_ context.Context, _ string, items []int) ([]batch.Result[int], error) {
				time.Sleep(time.Duration(500+rand.IntN(2500)+20*len(items)) * time.Microsecond) // as disks and schedulers have it
				return make([]batch.Result[int], len(items)), nil
			}})
		var wg sync.WaitGroup
		for c := range 64 {
			wg.Go(func() {
				for turn := range 30 {
					for _, step := range []string{"open", "stock", "close"} {
						if _, err := b.Submit(t.Context(), fmt.Sprintf("%s/%d", step, (c*7+turn)%4), c); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		s := b.Stats()
		mean = float64(s.Finished) / float64(s.Batches)
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return mean
}

// Callers that come to one group after the other move in step: 16 of 64 at each of four keys.
func TestGroupsMakeLargerBatches(t *testing.T) {
	t.Parallel()
	apart, together := walk(t, nil), walk(t, groupOf)
	t.Logf("%.1f in a batch without groups, %.1f with", apart, together)
	if together < 13 || together < 1.1*apart {
		t.Errorf("%.1f in a batch without groups, %.1f with; want nearly 16", apart, together)
	}
}

// A group that never runs dry keeps another one waiting for five visits, of twice its four keys, at most.
func TestBusyGroupStarvesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Options[int, int]{Slots: 1, Group: groupOf,
			Run: func(_ context.Context, _ string, items []int) ([]batch.Result[int], error) {
				time.Sleep(time.Millisecond)
				return make([]batch.Result[int], len(items)), nil
			}})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for c := range 40 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.Submit(ctx, fmt.Sprintf("busy/%d", c%4), c)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		for range 5 {
			start := time.Now()
			if _, err := b.Submit(ctx, "rare/0", 0); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 45*time.Millisecond {
				t.Errorf("a rare key waited for %v", took)
			}
		}
		stop()
		wg.Wait()
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A key that hangs stops nobody else, though it comes to hold every slot and the group under way never ends.
func TestHangingKeyStopsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Options[int, int]{Slots: 2, Group: groupOf,
			Run: func(_ context.Context, key string, items []int) ([]batch.Result[int], error) {
				time.Sleep(time.Millisecond)
				if strings.HasSuffix(key, "sick") {
					time.Sleep(5 * time.Second)
				}
				return make([]batch.Result[int], len(items)), nil
			}})
		var wg sync.WaitGroup
		for _, group := range []string{"open", "stock", "close"} {
			wg.Go(func() { _, _ = b.Submit(t.Context(), group+"/sick", 0) })
		}
		synctest.Wait()
		start := time.Now()
		for c := range 64 {
			wg.Go(func() {
				for range 10 {
					for _, group := range []string{"open", "stock", "close"} {
						if _, err := b.Submit(t.Context(), fmt.Sprintf("%s/%d", group, c%4), c); err != nil {
							t.Error(err)
						}
					}
				}
				if took := time.Since(start); took > 500*time.Millisecond {
					t.Errorf("30 steps took %v", took)
				}
			})
		}
		wg.Wait()
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Slots can be taken away and given back while callers wait: never more batches run than there are now, and all end.
func TestSetSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most, allowed atomic.Int64
		allowed.Store(4)
		b := batch.New(batch.Options[int, int]{Slots: 4, MaxSize: 1, Run: func(_ context.Context, _ string, reqs []int) ([]batch.Result[int], error) {
			if n := running.Add(1); n > allowed.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			time.Sleep(time.Millisecond)
			return make([]batch.Result[int], len(reqs)), nil
		}})
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				if _, err := b.Submit(t.Context(), string(rune('a'+i%8)), i); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		b.SetSlots(0) // at least one
		time.Sleep(2 * time.Millisecond)
		allowed.Store(1)
		time.Sleep(20 * time.Millisecond)
		if running.Load() > 1 || most.Load() > 1 { // none, at the moment between two
			t.Errorf("%d run, %d did, with one slot", running.Load(), most.Load())
		}
		allowed.Store(3)
		b.SetSlots(3)
		all.Wait()
		if most.Load() > 3 {
			t.Errorf("%d ran with three slots", most.Load())
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
