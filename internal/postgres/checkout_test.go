package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

func buy(user string) shop.CheckoutRequest {
	return shop.CheckoutRequest{UserID: user, ArrivedAt: time.Now()}
}

func keyed(user, key, hash string) shop.CheckoutRequest {
	r := buy(user)
	r.Key = shop.CheckoutKey{Key: key, Hash: []byte(hash)}
	return r
}

func paying(user, outcome string) shop.CheckoutRequest {
	r := buy(user)
	r.Payment = shop.PaymentMethod{Method: "test", Outcome: outcome}
	return r
}

// clean fails unless the books balance to the last row, with nothing under way.
func (w *world) clean(t testing.TB) {
	t.Helper()
	report, err := postgres.Audit(t.Context(), nil, w.Shards, postgres.AuditOptions{Settle: -1, Grace: -1})
	check(t, err)
	for _, r := range report.Rules {
		for _, v := range r.Violations {
			t.Errorf("%s: %s: %s", r.Name, v.Subject, v.Detail)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func TestCheckout(t *testing.T) { bothWays(t, checkCheckout) }

func checkCheckout(t *testing.T, w *world) {
	t.Run("bought", func(t *testing.T) { checkoutBought(t, w) })
	t.Run("out of stock", func(t *testing.T) { checkoutShort(t, w) })
	t.Run("declined", func(t *testing.T) { checkoutDeclined(t, w) })
	t.Run("unknown payment", func(t *testing.T) { checkoutUnknown(t, w) })
	t.Run("price changed", func(t *testing.T) { checkoutPrices(t, w) })
	t.Run("idempotency keys", func(t *testing.T) { checkoutKeys(t, w) })
	t.Run("cart edited meanwhile", func(t *testing.T) { checkoutEdited(t, w) })
	t.Run("edited while it is paid", func(t *testing.T) { checkoutEarlier(t, w) })
	t.Run("one cart, many clicks", func(t *testing.T) { checkoutClicks(t, w) })
	t.Run("cancel", func(t *testing.T) { checkoutCancel(t, w) })
	w.drain(t, w.saga(nil))
	w.clean(t)
}

func checkoutBought(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	p, q := w.product(t, 5), w.product(t, 5)
	user := w.fill(t, p, q)
	req := buy(user)
	req.ShippingAddress = []byte(`{"city": "Ulm"}`)
	r, err := s.Run(ctx, req)
	check(t, err)
	o := r.Order
	if o.Status != shop.OrderConfirmed || len(o.Items) != 2 || o.Items[0].Name != p.Name || o.Total != p.Price+q.Price ||
		o.Items[1].LineTotal != q.Price || string(o.ShippingAddress) != `{"city": "Ulm"}` || o.UserID != user {
		t.Fatalf("%+v", o)
	}
	if w.left(t, p) != 4 || w.left(t, q) != 4 {
		t.Fatal("stock not taken")
	}
	c, err := w.Cart(ctx, user)
	check(t, err)
	if len(c.Items) != 0 || c.Version != 3 || c.LastOrderID != o.ID || c.LastOrderAt.IsZero() {
		t.Fatalf("cart afterwards: %+v", c)
	}
	_, err = s.Run(ctx, buy(user))
	var empty *shop.Error
	if !errors.As(err, &empty) || empty.Code != shop.CodeEmptyCart || empty.OrderID != o.ID {
		t.Fatalf("second checkout: %v", err)
	}
	late := buy(user)
	late.ArrivedAt = c.LastOrderAt.Add(-time.Second) // it was under way when the cart was bought
	if r, err = s.Run(ctx, late); err != nil || r.Order.ID != o.ID {
		t.Fatalf("%+v, %v", r, err)
	}
	c, err = w.AddLine(ctx, user, "", shop.LineOf(p, 1), "USD")
	check(t, err)
	if c.LastOrderID != "" || c.Version != 4 {
		t.Fatalf("cart after the next edit: %+v", c)
	}
	_, err = s.Run(ctx, buy(newID()))
	if !errors.As(err, &empty) || empty.Code != shop.CodeEmptyCart || empty.OrderID != "" {
		t.Fatalf("empty cart: %v", err)
	}
}

func checkoutShort(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	p, q := w.product(t, 5), w.product(t, 0)
	user := w.fill(t, p, q)
	_, err := s.Run(ctx, keyed(user, "k", "h"))
	var short *shop.Error
	if !errors.As(err, &short) || short.Code != shop.CodeOutOfStock || len(short.Lines) != 1 || short.Lines[0].ProductID != q.ID {
		t.Fatalf("%v", err)
	}
	_, again := s.Run(ctx, keyed(user, "k", "h"))
	var same *shop.Error
	if !errors.As(again, &same) || same.Code != shop.CodeOutOfStock || len(same.Lines) != 1 || same.Lines[0].Name != q.Name {
		t.Fatalf("%v", again)
	}
	if c, err := w.Cart(ctx, user); err != nil || len(c.Items) != 2 {
		t.Fatalf("the cart is kept: %+v, %v", c, err)
	}
	if w.left(t, p) != 5 {
		t.Fatal("the other line is still held")
	}
	check(t, w.SetAvailable(ctx, "admin", q.ID, 1))
	if _, err = s.Run(ctx, buy(user)); err != nil {
		t.Fatalf("with stock there: %v", err)
	}
}

func checkoutDeclined(t *testing.T, w *world) {
	ctx, s, p := t.Context(), w.saga(nil), w.product(t, 5)
	user := w.fill(t, p)
	_, err := s.Run(ctx, paying(user, "decline"))
	var declined *shop.Error
	if !errors.As(err, &declined) || declined.Code != shop.CodePaymentDeclined || declined.OrderID == "" {
		t.Fatal(err)
	}
	if o, err := w.Order(ctx, user, declined.OrderID); err != nil || o.Status != shop.OrderFailed || len(o.Items) != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	if page, err := w.Orders(ctx, user, 20, ""); err != nil || len(page.Orders) != 0 {
		t.Fatalf("failed checkouts are not listed: %+v, %v", page, err)
	}
	if w.left(t, p) != 5 {
		t.Fatal("not restocked")
	}
	if _, err = s.Run(ctx, buy(user)); err != nil {
		t.Fatalf("with another method: %v", err)
	}
	_, err = s.Run(ctx, paying(user, "explode"))
	wantCode(t, err, shop.CodeInvalid)
	_, err = s.Run(ctx, shop.CheckoutRequest{UserID: user, Payment: shop.PaymentMethod{Method: "barter"}})
	wantCode(t, err, shop.CodeInvalid)
}

func checkoutUnknown(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	for outcome, want := range map[string]shop.OrderStatus{"timeout": shop.OrderFailed, "late": shop.OrderConfirmed} {
		p := w.product(t, 5)
		user := w.fill(t, p)
		r, err := s.Run(ctx, paying(user, outcome))
		check(t, err)
		if r.Order.Status != shop.OrderPending || len(r.Order.Items) != 1 {
			t.Fatalf("%s: %+v", outcome, r.Order)
		}
		page, err := w.Orders(ctx, user, 20, "")
		check(t, err)
		if len(page.Orders) != 1 || page.Orders[0].Status != shop.OrderPending {
			t.Fatalf("%s: %+v", outcome, page)
		}
		_, _, err = w.CancelOrder(ctx, user, r.Order.ID)
		wantCode(t, err, shop.CodeNotCancellable)
		w.exec(t, user, `UPDATE checkouts SET expires_at = now() - interval '1 second' WHERE order_id = $1`, r.Order.ID)
		w.recover(t, s)
		o, err := w.Order(ctx, user, r.Order.ID)
		check(t, err)
		left := map[shop.OrderStatus]int64{shop.OrderFailed: 5, shop.OrderConfirmed: 4}[want]
		if o.Status != want || w.left(t, p) != left {
			t.Fatalf("%s: %+v, %d left", outcome, o, w.left(t, p))
		}
		if c, err := w.Cart(ctx, user); err != nil || (len(c.Items) == 0) != (want == shop.OrderConfirmed) {
			t.Fatalf("%s: %+v, %v", outcome, c, err)
		}
	}
}

// recover is the worker's sweep of expired checkouts.
func (w *world) recover(t testing.TB, s *shop.Checkouts) {
	t.Helper()
	expired, err := w.ExpiredCheckouts(t.Context(), 1000)
	check(t, err)
	for _, c := range expired {
		check(t, s.Recover(t.Context(), c))
	}
}

func checkoutPrices(t *testing.T, w *world) {
	ctx, s, p := t.Context(), w.saga(nil), w.product(t, 5)
	user := w.fill(t, p)
	dearer := p
	dearer.Price += 50
	w.products.put(dearer)
	_, err := s.Run(ctx, buy(user))
	var changed *shop.Error
	if !errors.As(err, &changed) || changed.Code != shop.CodePriceChanged || len(changed.Lines) != 1 ||
		changed.Lines[0].OldPrice != p.Price || changed.Lines[0].NewPrice != dearer.Price {
		t.Fatal(err)
	}
	r, err := s.Run(ctx, buy(user))
	check(t, err)
	if r.Order.Total != dearer.Price {
		t.Fatalf("%+v", r.Order)
	}
	gone := w.fill(t, p)
	dearer.Currency = "EUR"
	w.products.put(dearer)
	_, err = s.Run(ctx, buy(gone))
	wantCode(t, err, shop.CodeOutOfStock)
}

func checkoutKeys(t *testing.T, w *world) {
	ctx, s, p := t.Context(), w.saga(nil), w.product(t, 50)
	user := w.fill(t, p)
	first, err := s.Run(ctx, keyed(user, "key", "hash"))
	check(t, err)
	for range 2 {
		r, err := s.Run(ctx, keyed(user, "key", "hash"))
		if err != nil || r.Order.ID != first.Order.ID {
			t.Fatalf("%+v, %v", r, err)
		}
		_, err = w.AddLine(ctx, user, "", shop.LineOf(p, 1), "USD") // a new cart changes nothing for the old key
		check(t, err)
	}
	_, err = s.Run(ctx, keyed(user, "key", "other"))
	wantCode(t, err, shop.CodeIdempotencyMismatch)
	r, err := s.Run(ctx, keyed(user, "key 2", "hash"))
	if err != nil || r.Order.ID == first.Order.ID {
		t.Fatalf("%+v, %v", r, err)
	}
	w.exec(t, user, `UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = $1 AND key = 'key'`, user)
	_, err = w.AddLine(ctx, user, "", shop.LineOf(p, 1), "USD")
	check(t, err)
	r, err = s.Run(ctx, keyed(user, "key", "other"))
	if err != nil || r.Order.ID == first.Order.ID {
		t.Fatalf("a key older than 24 h is free: %+v, %v", r, err)
	}

	// An interrupted checkout does not use the key up.
	user = w.fill(t, p)
	c := w.openFor(t, user, shop.CheckoutKey{Key: "again", Hash: []byte("h")})
	_, err = w.FailCheckout(ctx, user, c.OrderID, shop.CodeUnavailable, nil)
	check(t, err)
	check(t, s.Undo(ctx, shop.OrderEvent{OrderID: c.OrderID, UserID: user, ProductIDs: c.ProductIDs()}))
	if r, err = s.Run(ctx, keyed(user, "again", "h")); err != nil || r.Order.ID == c.OrderID {
		t.Fatalf("%+v, %v", r, err)
	}
}

// openFor opens a checkout of the user's cart and leaves it there.
func (w *world) openFor(t testing.TB, user string, key shop.CheckoutKey) shop.Checkout {
	t.Helper()
	cart, err := w.Cart(t.Context(), user)
	check(t, err)
	c, err := w.OpenCheckout(t.Context(), shop.Checkout{OrderID: newID(), UserID: user, CartVersion: cart.Version, Lines: cart.Items,
		Total: cart.Subtotal, Currency: cart.Currency, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}, key)
	check(t, err)
	return c
}

func checkoutEdited(t *testing.T, w *world) {
	ctx, p, q := t.Context(), w.product(t, 9), w.product(t, 9)
	user := w.fill(t, p)
	s := w.saga(func(point string) {
		if point == "reserved" { // the shopper goes on shopping while the payment runs
			_, err := w.AddLine(ctx, user, "", shop.LineOf(p, 2), "USD")
			check(t, err)
			_, err = w.AddLine(ctx, user, "", shop.LineOf(q, 1), "USD")
			check(t, err)
		}
	})
	r, err := s.Run(ctx, buy(user))
	check(t, err)
	if len(r.Order.Items) != 1 || r.Order.Items[0].Quantity != 1 {
		t.Fatalf("%+v", r.Order)
	}
	c, err := w.Cart(ctx, user)
	check(t, err)
	if len(c.Items) != 2 || c.Items[0].Quantity != 2 || c.Items[1].Quantity != 1 || c.Version != 4 {
		t.Fatalf("only what was bought leaves the cart: %+v", c)
	}
	stale := shop.Checkout{OrderID: newID(), UserID: user, CartVersion: 2, Lines: c.Items, CreatedAt: time.Now(), ExpiresAt: time.Now()}
	_, err = w.OpenCheckout(ctx, stale, shop.CheckoutKey{})
	wantCode(t, err, shop.CodeConflict)
	stale.CartVersion = 1 // bought: joined
	if joined, err := w.OpenCheckout(ctx, stale, shop.CheckoutKey{}); err != nil || joined.OrderID != r.Order.ID || joined.State != shop.CheckoutConfirmed {
		t.Fatalf("%+v, %v", joined, err)
	}
}

// checkoutEarlier asks for a second checkout while the first one, of the cart as it was before, is open: what that one
// buys must not be bought twice.
func checkoutEarlier(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	for outcome, want := range map[string]shop.Code{"late": "", "timeout": shop.CodeConflict} {
		p, q := w.product(t, 9), w.product(t, 9)
		user := w.fill(t, p)
		first, err := s.Run(ctx, paying(user, outcome))
		check(t, err)
		_, err = w.AddLine(ctx, user, "", shop.LineOf(q, 1), "USD")
		check(t, err)
		req := keyed(user, "second", "body")
		second, err := s.Run(ctx, req)
		wantCode(t, err, want)
		if want == "" { // asking again told that the first was paid
			if o := second.Order; len(o.Items) != 1 || o.Items[0].ProductID != q.ID || o.ID == first.Order.ID {
				t.Fatalf("%s: %+v", outcome, o)
			}
			continue
		}
		var e *shop.Error
		if !errors.As(err, &e) || e.OrderID != first.Order.ID {
			t.Fatalf("%s: %+v", outcome, err)
		}
		w.exec(t, user, `UPDATE checkouts SET expires_at = now() - interval '1 second' WHERE order_id = $1`, first.Order.ID)
		w.recover(t, s)
		if second, err = s.Run(ctx, req); err != nil || len(second.Order.Items) != 2 { // the first one came to nothing
			t.Fatalf("%s: %+v, %v", outcome, second.Order, err)
		}
	}
}

func checkoutClicks(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	for _, outcome := range []string{"approve", "decline", "late"} {
		units := int64(1) // the joiners must not take their own unit for somebody else's
		if outcome == "decline" {
			units = 20 // clicks after a refusal are attempts of their own, and each may hold a unit until it is undone
		}
		p := w.product(t, units)
		user := w.fill(t, p)
		var orders sync.Map
		var confirmed, pending, declined atomic.Int64
		var wg sync.WaitGroup
		arrived := time.Now()
		for i := range 20 {
			req := paying(user, outcome)
			req.ArrivedAt = arrived
			if i%2 == 0 {
				req.Key = shop.CheckoutKey{Key: fmt.Sprint(i), Hash: []byte{1}}
			}
			wg.Go(func() {
				r, err := s.Run(ctx, req)
				switch {
				case shop.CodeOf(err) == shop.CodePaymentDeclined:
					declined.Add(1)
				case err != nil:
					t.Errorf("%s: %v", outcome, err)
				case r.Order.Status == shop.OrderPending:
					pending.Add(1)
					orders.Store(r.Order.ID, true)
				default:
					confirmed.Add(1)
					orders.Store(r.Order.ID, true)
				}
			})
		}
		wg.Wait()
		distinct := 0
		orders.Range(func(any, any) bool { distinct++; return true })
		switch {
		case outcome == "decline" && declined.Load() == 20 && w.left(t, p) == units:
		case outcome != "decline" && distinct == 1 && confirmed.Load() >= 18 && w.left(t, p) == 0: // late: only the one who captured, and who asked before it was confirmed, hears pending
		default:
			t.Fatalf("%s: %d orders, %d confirmed, %d pending, %d declined, %d left", outcome, distinct, confirmed.Load(),
				pending.Load(), declined.Load(), w.left(t, p))
		}
	}
}

func checkoutCancel(t *testing.T, w *world) {
	ctx, s, p := t.Context(), w.saga(nil), w.product(t, 5)
	user := w.fill(t, p)
	r, err := s.Run(ctx, buy(user))
	check(t, err)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if o, err := s.Cancel(ctx, user, r.Order.ID); err != nil || o.Status != shop.OrderCancelled {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	wg.Wait()
	w.drain(t, s)
	if w.left(t, p) != 5 {
		t.Fatalf("%d left", w.left(t, p))
	}
	if ch, err := w.pay.Settle(ctx, r.Order.ID); err != nil || ch.Status != shop.ChargeRefunded {
		t.Fatalf("%+v, %v", ch, err)
	}
	_, err = s.Cancel(ctx, newID(), r.Order.ID)
	wantCode(t, err, shop.CodeNotFound)
	_, err = s.Cancel(ctx, user, "no-such-order")
	wantCode(t, err, shop.CodeNotFound)
}
