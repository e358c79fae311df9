package cached_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/local/localtest"
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
	localtest.Eventually(t, "the store is asked", func() bool { return w.asked.Load() > 0 })
	close(w.gate)
	wg.Wait()
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// shelf is a stock that can be set, or fail to be.
type shelf struct {
	shop.StockStore
	units atomic.Int64
	err   error
}

func (s *shelf) Available(_ context.Context, ids []int64) (map[int64]int64, error) {
	return map[int64]int64{ids[0]: s.units.Load()}, nil
}

func (s *shelf) SetAvailable(_ context.Context, _ string, _, n int64) error {
	if s.err == nil {
		s.units.Store(n)
	}
	return s.err
}

// What an administrator sets is what every process shows when the change is answered; a change that was refused purges nothing.
func TestSetStockIsSeenEverywhere(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := &shelf{}
	purged := 0
	w := cached.NewStockStore(db, func(ctx context.Context, tags []string) error {
		purged++
		return stores[0].Invalidate(ctx, tags)
	}, cached.Options{})
	patient := cached.Options{StockTTL: time.Hour}
	readers := []*cached.Stock{cached.NewStock(db, stores[0], patient), cached.NewStock(db, stores[1], patient)}
	see := func(want int64) {
		t.Helper()
		for i, r := range readers {
			if got, err := r.Available(t.Context(), []int64{7}); err != nil || got[7] != want {
				t.Fatalf("process %d: %v %v, want %d", i, got, err, want)
			}
		}
	}
	see(0)
	for n := range int64(3) {
		if err := w.SetAvailable(t.Context(), "admin", 7, n+1); err != nil {
			t.Fatal(err)
		}
		see(n + 1)
	}
	db.err = shop.Invalid("available", "must not be negative")
	if err := w.SetAvailable(t.Context(), "admin", 7, -1); err == nil || purged != 3 {
		t.Errorf("%v, %d purges", err, purged)
	}
}
