package postgres_test

import (
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// draft is a checkout whose cart is not known yet.
func draft(user string) shop.Checkout {
	now := time.Now()
	return shop.Checkout{OrderID: newID(), UserID: user, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
}

// The short way is for carts with nothing in the way; everything else is left as it was.
func TestOpenCartTakesTheUsualCaseOnly(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{})
	ctx, p := t.Context(), w.product(t, 100)
	user, key := w.fill(t, p), shop.CheckoutKey{Key: "k", Hash: []byte("h")}
	refused := func(why, user string, key shop.CheckoutKey) {
		t.Helper()
		c := draft(user)
		if got, ok, err := b.OpenCart(ctx, c, key); err != nil || ok {
			t.Errorf("%s: opened %+v, %v", why, got, err)
		}
		_, err := b.CheckoutByID(ctx, user, c.OrderID)
		wantCode(t, err, shop.CodeNotFound)
	}
	refused("nobody's cart", newID(), shop.CheckoutKey{})
	w.editing(t, user, func() { refused("a cart somebody is at", user, key) })
	c, ok, err := b.OpenCart(ctx, draft(user), key)
	check(t, err)
	cart, err := b.Cart(ctx, user)
	check(t, err)
	if !ok || c.State != shop.CheckoutOpen || c.CartVersion != cart.Version || c.Total != cart.Subtotal || len(c.Lines) != 1 || c.Lines[0] != cart.Items[0] {
		t.Fatalf("opened %t %+v of %+v", ok, c, cart)
	}
	kept, err := b.CheckoutByID(ctx, user, c.OrderID)
	check(t, err)
	if kept.Lines[0] != c.Lines[0] || kept.Total != c.Total || !kept.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("answered %+v, kept %+v", c, kept)
	}
	refused("another one is open", user, shop.CheckoutKey{Key: "other"})
	_, err = b.FailCheckout(ctx, user, c.OrderID, shop.CodePaymentDeclined, nil)
	check(t, err)
	refused("the key was used", user, key)
	if _, ok, err = b.OpenCart(ctx, draft(user), shop.CheckoutKey{}); err != nil || !ok {
		t.Errorf("with nothing in the way again: %t, %v", ok, err)
	}
}

// What is added to a cart while its checkout is under way stays in it.
func TestConfirmOpenOfACartThatChanged(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{})
	ctx, p, q := t.Context(), w.product(t, 100), w.product(t, 100)
	charge := func(c shop.Checkout) shop.Charge {
		check(t, b.Reserve(ctx, shop.Reservation{OrderID: c.OrderID, UserID: c.UserID, Lines: c.Lines, ExpiresAt: c.ExpiresAt}))
		ch, err := w.pay.Charge(ctx, c.OrderID, c.Total, c.Currency, c.Payment)
		check(t, err)
		return ch
	}
	for _, changed := range []bool{false, true} {
		user := w.fill(t, p)
		c, ok, err := b.OpenCart(ctx, draft(user), shop.CheckoutKey{})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		left := 0
		if changed {
			left = 1
			_, err = b.AddLine(ctx, user, newID(), shop.LineOf(q, 2), q.Currency)
			check(t, err)
		}
		ch := charge(c)
		for range 2 { // the second time it is confirmed already
			done, err := b.ConfirmOpen(ctx, c, ch, "test")
			check(t, err)
			if done.State != shop.CheckoutConfirmed || done.FinishedAt.IsZero() || done.Lines[0] != c.Lines[0] {
				t.Errorf("changed %t: %+v", changed, done)
			}
		}
		o, err := b.Order(ctx, user, c.OrderID)
		check(t, err)
		cart, err := b.Cart(ctx, user)
		check(t, err)
		if o.Status != shop.OrderConfirmed || len(o.Items) != 1 || o.Items[0] != c.Lines[0] || len(cart.Items) != left || cart.LastOrderID != c.OrderID {
			t.Errorf("changed %t: order %+v, cart %+v", changed, o, cart)
		}
	}
	w.drain(t, w.saga(nil))
	w.clean(t)
}

// That a shopper was told is known at once in the process that did it, and soon to all.
func TestAnsweredIsNotedForAll(t *testing.T) {
	t.Parallel()
	w, b := batchedWorld(t, postgres.BatchedOptions{})
	s, p := w.saga(nil), w.product(t, 10)
	user := w.fill(t, p)
	_, err := s.Run(t.Context(), buy(user))
	check(t, err)
	cart, err := b.Cart(t.Context(), user)
	check(t, err)
	if cart.LastOrderAt.IsZero() {
		t.Error("the process that answered does not know")
	}
	check(t, b.Close(t.Context())) // writes what waits
	there, err := w.Shards.Cart(t.Context(), user)
	check(t, err)
	if d := there.LastOrderAt.Sub(cart.LastOrderAt); d.Abs() > time.Millisecond {
		t.Errorf("noted as of %v, written as of %v", cart.LastOrderAt, there.LastOrderAt)
	}
}

// editing runs fn while another transaction has a shopper's cart locked.
func (w *world) editing(t *testing.T, user string, fn func()) {
	t.Helper()
	n, err := w.cluster.OnShard(user)
	check(t, err)
	tx, err := n.Pool.Begin(t.Context())
	check(t, err)
	_, err = tx.Exec(t.Context(), `SELECT 1 FROM carts WHERE user_id = $1 FOR UPDATE`, user)
	check(t, err)
	fn()
	check(t, tx.Rollback(t.Context()))
}
