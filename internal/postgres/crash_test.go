package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// died is what a crash hook panics with.
type died struct{ point string }

// dyingAt runs a checkout that dies at a point, and tells whether it came there. Where points lie outside of the checkout itself,
// what they lie in follows.
func (w *world) dyingAt(t *testing.T, point string, req shop.CheckoutRequest) (dead bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			d, ours := r.(died)
			if !ours || d.point != point {
				panic(r)
			}
			dead = true
		}
	}()
	s := w.saga(func(at string) {
		if at == point {
			panic(died{at})
		}
	})
	r, err := s.Run(t.Context(), req)
	switch {
	case point == "settled":
		w.expire(t)
		w.recover(t, s)
	case point == "cancelled" && err == nil && r.Order.Status == shop.OrderConfirmed:
		_, _ = s.Cancel(t.Context(), req.UserID, r.Order.ID)
	}
	return false
}

// expire makes everything that is under way old enough for the worker.
func (w *world) expire(t testing.TB) {
	t.Helper()
	check(t, w.age(t.Context()))
}

func (w *world) age(ctx context.Context) error {
	for _, n := range w.cluster.Nodes() {
		for _, sql := range []string{`UPDATE checkouts SET expires_at = now() - interval '1 second' WHERE state = 'open'`,
			`UPDATE reservations SET expires_at = now() - interval '1 second' WHERE state = 'held'`} {
			if _, err := n.Pool.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	return nil
}

// Whoever dies between any two steps: the worker brings the books into balance, in either order of its jobs.
func TestEveryCrashPoint(t *testing.T) { bothWays(t, checkEveryCrashPoint) }

func checkEveryCrashPoint(t *testing.T, w *world) {
	reached := map[string]bool{}
	for _, point := range shop.CrashPoints {
		for _, outcome := range []string{"approve", "decline", "late", "timeout"} {
			for _, sweepFirst := range []bool{false, true} {
				reached[point] = w.crashOnce(t, point, outcome, sweepFirst) || reached[point]
			}
		}
		if !reached[point] {
			t.Errorf("no checkout ever came to %q", point)
		}
	}
	w.clean(t)
}

func (w *world) crashOnce(t *testing.T, point, outcome string, sweepFirst bool) bool {
	t.Helper()
	ctx, s := t.Context(), w.saga(nil)
	stock := int64(3)
	if point == "refused" {
		stock = 0
	}
	p, q := w.product(t, 3), w.product(t, stock)
	user := w.fill(t, p, q)
	dead := w.dyingAt(t, point, paying(user, outcome))
	w.expire(t)
	sweep := func() {
		_, err := w.SweepReservations(ctx, 1000)
		check(t, err)
	}
	if sweepFirst {
		sweep()
	}
	w.recover(t, s)
	sweep()
	w.drain(t, s)
	page, err := w.Orders(ctx, user, 20, "")
	check(t, err)
	cart, err := w.Cart(ctx, user)
	check(t, err)
	taken, bought := int64(0), len(page.Orders) == 1 && page.Orders[0].Status == shop.OrderConfirmed
	if bought {
		taken = 1
	}
	cancelled := dead && point == "cancelled"
	if w.left(t, p) != 3-taken || w.left(t, q) != stock-taken || (bought || cancelled) != (len(cart.Items) == 0) || len(page.Orders) > 1 {
		t.Fatalf("died at %s (%s): orders %+v, cart %+v, %d and %d left", point, outcome, page.Orders, cart, w.left(t, p), w.left(t, q))
	}
	if never := outcome == "decline" || outcome == "timeout"; bought && never {
		t.Fatalf("died at %s (%s): bought without money", point, outcome)
	}
	if charged := point == "charged" || point == "confirmed" || point == "committed"; dead && charged && outcome == "approve" && !bought {
		t.Fatalf("died at %s: the money moved but there is no order", point)
	}
	return dead
}

// After a crash the shopper asks again instead of waiting: the same checkout is brought to its end.
func TestAskingAgainAfterACrash(t *testing.T) { bothWays(t, checkAskingAgainAfterACrash) }

func checkAskingAgainAfterACrash(t *testing.T, w *world) {
	s := w.saga(nil)
	for _, point := range []string{"opened", "reserved", "charged", "confirmed", "committed"} {
		p := w.product(t, 1)
		user := w.fill(t, p)
		req := keyed(user, "k", "h")
		if !w.dyingAt(t, point, req) {
			t.Fatalf("did not come to %s", point)
		}
		r, err := s.Run(t.Context(), req)
		if err != nil || r.Order.Status != shop.OrderConfirmed || w.left(t, p) != 0 {
			t.Fatalf("after %s: %+v, %v", point, r, err)
		}
	}
	w.drain(t, s)
	w.clean(t)
}

// Drivers, joiners, a worker in too much of a hurry and other shoppers, all over the same few units.
func TestDriversRaceWithWorkers(t *testing.T) { bothWays(t, checkDriversRaceWithWorkers) }

func checkDriversRaceWithWorkers(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	products := []shop.Product{w.product(t, 12), w.product(t, 12), w.product(t, 12)}
	outcomes := []string{"approve", "approve", "decline", "late", "timeout"}
	stop := make(chan struct{})
	var worker, shoppers sync.WaitGroup
	for range 2 {
		worker.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w.expire(t)
				expired, err := w.ExpiredCheckouts(ctx, 100)
				if err != nil {
					t.Error(err)
				}
				for _, c := range expired {
					if err := s.Recover(ctx, c); err != nil {
						t.Error(err)
					}
				}
				if _, err := w.SweepReservations(ctx, 100); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 30 {
		user := w.fill(t, products...)
		for j := range 3 {
			req := paying(user, outcomes[(i+j)%len(outcomes)])
			shoppers.Go(func() {
				time.Sleep(rand.N(20 * time.Millisecond)) // spreads the load over the workers' rounds
				r, err := s.Run(ctx, req)
				var known *shop.Error
				if err != nil && !errors.As(err, &known) {
					t.Error(err)
				}
				if err == nil && r.Order.ID == "" {
					t.Error("neither an order nor an error")
				}
				if err == nil && rand.N(3) == 0 && r.Order.Status == shop.OrderConfirmed {
					if _, err := s.Cancel(ctx, user, r.Order.ID); err != nil {
						t.Error(fmt.Errorf("cancel: %w", err))
					}
				}
			})
		}
	}
	shoppers.Wait()
	close(stop)
	worker.Wait()
	w.expire(t)
	w.recover(t, s)
	w.drain(t, s)
	w.clean(t)
}
