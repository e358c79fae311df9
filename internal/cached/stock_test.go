package cached_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/shop"
)

// warehouse has as many units as it is asked times, so that an answer tells its age; gate, when set, holds answers back.
type warehouse struct {
	asked atomic.Int64
	gate  chan struct{}
}

func (w *warehouse) Available(_ context.Context, ids []int64) (map[int64]int64, error) {
	n := w.asked.Add(1)
	if w.gate != nil {
		<-w.gate
	}
	return map[int64]int64{ids[0]: n}, nil
}

func TestStockIsNeverOld(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	w := &warehouse{}
	s := cached.NewStock(w, stores[0], cached.Options{})
	born := map[int64]time.Time{} // when a count first came out
	deadline := time.Now().Add(1200 * time.Millisecond)
	var reads int
	for time.Now().Before(deadline) {
		asked := time.Now()
		got, err := s.Available(t.Context(), []int64{7})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := born[got[7]]; !ok {
			born[got[7]] = time.Now()
		} else if age := asked.Sub(born[got[7]]); age > shop.ShownFor {
			t.Fatalf("an answer was %v old when it was asked for", age)
		}
		reads++
	}
	if n := w.asked.Load(); n < 3 || n > 9 || reads < 50 {
		t.Errorf("%d reads asked the store %d times; want every 200 ms or a little more often", reads, n)
	}
	if err := stores[0].Invalidate(t.Context(), []string{cached.TagStock(7)}); err != nil {
		t.Fatal(err)
	}
	before := w.asked.Load()
	if got, _ := s.Available(t.Context(), []int64{7}); got[7] != before+1 {
		t.Errorf("after an invalidation: %d, want %d", got[7], before+1)
	}
}

func TestStockReadsAreCoalesced(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 1)
	w := &warehouse{gate: make(chan struct{})}
	s := cached.NewStock(w, stores[0], cached.Options{})
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if got, err := s.Available(t.Context(), []int64{7, 8}); err != nil || got[7] != 1 || got[8] != 0 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	eventually(t, "the store is asked", func() bool { return w.asked.Load() > 0 })
	close(w.gate)
	wg.Wait()
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
