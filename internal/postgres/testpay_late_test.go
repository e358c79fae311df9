package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Payments whose outcome the shop does not learn at once settle: "late" becomes a paid order, "timeout" a failed one, for which nothing is
// charged, now or later; whoever settles them, and however they come too late.
func TestUnknownPaymentsSettle(t *testing.T) { bothWays(t, checkUnknownPaymentsSettle) }

func checkUnknownPaymentsSettle(t *testing.T, w *world) {
	t.Run("by the worker", func(t *testing.T) { settledByWorker(t, w) })
	t.Run("by asking again", func(t *testing.T) { settledByAskingAgain(t, w) })
	t.Run("heard of after it was settled", func(t *testing.T) { chargedTooLate(t, w) })
	t.Run("answered after it was settled", func(t *testing.T) { answeredTooLate(t, w) })
	t.Run("no answer within the deadline", func(t *testing.T) { answeredNever(t, w) })
	w.drain(t, w.saga(nil))
	w.clean(t)
}

// ends checks what became of an order: its status, its money, its units out of 5.
func (w *world) ends(t *testing.T, user, order string, p shop.Product, want shop.OrderStatus) {
	t.Helper()
	o, err := w.Order(t.Context(), user, order)
	check(t, err)
	left := map[shop.OrderStatus]int64{shop.OrderConfirmed: 4, shop.OrderFailed: 5}[want]
	if o.Status != want || o.Total != p.Price || w.left(t, p) != left {
		t.Errorf("the order is %+v and %d are left; want %s, %d", o, w.left(t, p), want, left)
	}
	w.paidFor(t, order, o)
	if want == shop.OrderFailed { // and should the provider hear of it at last
		if ch, err := w.pay.Charge(t.Context(), order, o.Total, o.Currency, shop.PaymentMethod{}); err != nil || ch.Status == shop.ChargeCaptured {
			t.Errorf("a failed checkout was charged afterwards: %+v, %v", ch, err)
		}
	}
}

func settledByWorker(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	for outcome, want := range map[string]shop.OrderStatus{"late": shop.OrderConfirmed, "timeout": shop.OrderFailed} {
		p := w.product(t, 5)
		user := w.fill(t, p)
		r, err := s.Run(ctx, paying(user, outcome))
		if err != nil || r.Order.Status != shop.OrderPending {
			t.Fatalf("%s: %+v, %v", outcome, r, err)
		}
		w.expire(t)
		for range 2 { // by two workers
			w.recover(t, s)
			w.drain(t, s)
		}
		w.ends(t, user, r.Order.ID, p, want)
		req := paying(user, "approve")
		req.ArrivedAt = time.Time{} // it comes after all that
		again, err := s.Run(ctx, req)
		if want == shop.OrderConfirmed {
			wantCode(t, err, shop.CodeEmptyCart)
			continue
		}
		check(t, err) // the cart was kept
		w.ends(t, user, again.Order.ID, p, shop.OrderConfirmed)
	}
}

func settledByAskingAgain(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	for outcome, want := range map[string]shop.OrderStatus{"late": shop.OrderConfirmed, "timeout": shop.OrderPending} {
		p := w.product(t, 5)
		user := w.fill(t, p)
		first, err := s.Run(ctx, paying(user, outcome))
		check(t, err)
		for range 3 {
			req := keyed(user, "again", "h")
			req.Payment.Outcome = "decline" // another method does not change what the first one came to
			r, err := s.Run(ctx, req)
			if err != nil || r.Order.ID != first.Order.ID || r.Order.Status != want {
				t.Fatalf("%s: %+v, %v; it was order %s", outcome, r, err, first.Order.ID)
			}
		}
		w.expire(t)
		w.recover(t, s)
		if want == shop.OrderPending {
			want = shop.OrderFailed
		}
		w.ends(t, user, first.Order.ID, p, want)
	}
}

// gate is a provider with something happening before it hears of a charge, or before its answer arrives.
type gate struct {
	shop.PaymentProvider
	before, after func()
}

func (g gate) Charge(ctx context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	if g.before != nil {
		g.before()
	}
	ch, err := g.PaymentProvider.Charge(ctx, key, amount, currency, m)
	if g.after != nil {
		g.after()
	}
	return ch, err
}

func (w *world) workerComes(t *testing.T) func() {
	return func() {
		w.expire(t)
		w.recover(t, w.saga(nil))
	}
}

func chargedTooLate(t *testing.T, w *world) {
	for _, outcome := range allOutcomes[2:] {
		p := w.product(t, 5)
		user := w.fill(t, p)
		var order string
		s := w.saga(nil)
		s.NewID = func() string { order = newID(); return order }
		s.Pay = gate{w.pay, w.workerComes(t), nil}
		r, err := s.Run(t.Context(), paying(user, outcome))
		wantCode(t, err, shop.CodeUnavailable)
		if outcome == "timeout" && r.Order.ID != "" {
			t.Errorf("%+v", r)
		}
		w.ends(t, user, order, p, shop.OrderFailed)
	}
}

func answeredTooLate(t *testing.T, w *world) {
	for outcome, want := range map[string]shop.OrderStatus{"approve": shop.OrderConfirmed, "late": shop.OrderConfirmed, "decline": shop.OrderFailed} {
		p := w.product(t, 5)
		user := w.fill(t, p)
		var order string
		s := w.saga(nil)
		s.NewID = func() string { order = newID(); return order }
		s.Pay = gate{w.pay, nil, w.workerComes(t)}
		r, err := s.Run(t.Context(), paying(user, outcome))
		if want == shop.OrderConfirmed && (err != nil || r.Order.Status != want) || want == shop.OrderFailed && shop.CodeOf(err) != shop.CodePaymentDeclined {
			t.Errorf("%s: %+v, %v", outcome, r, err)
		}
		w.ends(t, user, order, p, want)
	}
}

func answeredNever(t *testing.T, w *world) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	type asked struct {
		user, order string
		p           shop.Product
	}
	var wg sync.WaitGroup
	all := map[string]*asked{}
	for _, outcome := range []string{"late", "timeout"} {
		a := &asked{p: w.product(t, 5)}
		a.user, all[outcome] = w.fill(t, a.p), a
		heard := false
		s := w.saga(nil)
		s.NewID = func() string { a.order = newID(); return a.order }
		s.Pay = gate{postgres.NewTestPay(w.cluster, postgres.TestPayOptions{Wait: time.Hour}), func() { heard = true }, nil}
		wg.Go(func() {
			_, err := s.Run(ctx, paying(a.user, outcome))
			if code := shop.CodeOf(err); !heard || code != shop.CodeUnavailable && code != shop.CodeInternal {
				t.Errorf("%s: %v (the provider was asked: %t)", outcome, err, heard)
			}
		})
	}
	wg.Wait()
	w.workerComes(t)()
	w.ends(t, all["late"].user, all["late"].order, all["late"].p, shop.OrderConfirmed)
	w.ends(t, all["timeout"].user, all["timeout"].order, all["timeout"].p, shop.OrderFailed)
}
