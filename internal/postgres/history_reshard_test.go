package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard/move"
)

// Products go on being reserved, given back and counted while they move to another shard: each product answers as if it had never been
// anywhere else. A long run goes on giving shards other weights.
func TestHistoryThroughAMove(t *testing.T) { bothWays(t, checkHistoryThroughAMove) }

func checkHistoryThroughAMove(t *testing.T, w *world) {
	o, next := w.topology(t)
	m := move.New(o)
	moved := 0
	localtest.Rounds(t, 1, func(round int) {
		if round > 0 {
			at := rand.N(len(next.Shards))
			s := next.Shards[at]
			s.Weight = 1 + (s.Weight+rand.N(3))%4
			next = next.With(s)
		}
		moved += w.roundsThrough(t, m, next)
	})
	if moved == 0 {
		t.Error("no history went through a move")
	}
	w.clean(t)
}

// roundsThrough makes histories while a move goes on, and one after it; it tells how many there were before its end.
func (w *world) roundsThrough(t *testing.T, m *move.Mover, next move.Topology) (n int) {
	_, err := m.Begin(t.Context(), next)
	check(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := m.Run(t.Context())
		done <- err
	}()
	byProduct := func(id int64) string { return fmt.Sprint(id) } // shards change; a line of one product is on one of them at any time
	for {
		w.stockRound(t, 1, byProduct)
		select {
		case err := <-done:
			check(t, err)
			w.stockRound(t, 1, byProduct)
			return n
		default:
			n++
		}
	}
}

// The whole shop goes on while the weights of its shards change over and over, and movers die at any step: its short form is
// TestShopGoesOnWhileAShardComesIn.
func TestShopGoesOnThroughMoves(t *testing.T) {
	if localtest.Soaking(t) == 0 {
		t.Skip("make soak runs it")
	}
	t.Parallel()
	w := newWorld(t)
	ctx, s := t.Context(), w.saga(nil)
	o, next := w.topology(t)
	products := make([]shop.Product, 40)
	for i := range products {
		products[i] = w.product(t, 1_000_000)
	}
	stop := w.shoppers(t, s, products)
	localtest.Rounds(t, 1, func(round int) {
		if round > 0 {
			x := next.Shards[rand.N(len(next.Shards))]
			x.Weight = 1 + (x.Weight+rand.N(3))%4
			next = next.With(x)
		}
		_, err := move.New(o).Begin(ctx, next)
		check(t, err)
		for range 3 {
			w.perhapsDying(t, o, move.CrashPoints[rand.N(len(move.CrashPoints))])
		}
		if _, err = move.New(o).Run(ctx); err != nil && !errors.Is(err, move.ErrNoMove) {
			t.Fatal(err)
		}
		w.recover(t, s)
		w.drain(t, s)
	})
	visits := stop()
	t.Logf("%d visits", visits)
	w.settle(t)
	w.clean(t)
}

// shoppers visit until stopped; none of their requests may fail.
func (w *world) shoppers(t *testing.T, s *shop.Checkouts, products []shop.Product) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var visits atomic.Int64
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := w.visit(context.Background(), s, products); err != nil {
					t.Errorf("a visit failed: %v", err)
				}
				visits.Add(1)
				time.Sleep(2 * time.Millisecond) // not a wait: the pace of the load
			}
		})
	}
	return func() int64 { cancel(); wg.Wait(); return visits.Load() }
}

// perhapsDying drives the move until it dies at a point, or is done.
func (w *world) perhapsDying(t *testing.T, o move.Options, point string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil && p != (died{point}) {
			panic(p)
		}
	}()
	o.Crash = func(at string) {
		if at == point {
			panic(died{at})
		}
	}
	if _, err := move.New(o).Run(t.Context()); err != nil && !errors.Is(err, move.ErrNoMove) {
		t.Error(err)
	}
}
