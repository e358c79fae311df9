package postgres_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestPurchaseLimit(t *testing.T) { bothWays(t, checkPurchaseLimit) }

// One shopper buys no more than allowed, in whatever orders, however many at once; what is cancelled counts no more.
func checkPurchaseLimit(t *testing.T, w *world) {
	ctx, s := t.Context(), w.saga(nil)
	p, free := w.product(t, 100), w.product(t, 100)
	p.Attributes = json.RawMessage(`{"purchase_limit": 3}`)
	w.products.put(p)
	user := w.fill(t, p, p, free)
	first, err := s.Run(ctx, buy(user))
	check(t, err)

	_, err = w.AddLine(ctx, user, newID(), shop.LineOf(p, 2), p.Currency)
	check(t, err)
	_, err = s.Run(ctx, buy(user))
	var e *shop.Error
	if !errors.As(err, &e) || e.Code != shop.CodePurchaseLimit || len(e.Lines) != 1 || e.Lines[0].ProductID != p.ID || e.Lines[0].Requested != 2 || e.Lines[0].Available != 1 {
		t.Fatalf("2 more of 3: %v %+v", err, e)
	}
	if left := w.left(t, p); left != 98 {
		t.Errorf("%d left after a refusal", left)
	}
	var clicks sync.WaitGroup // edits and checkouts at once
	for range 6 {
		clicks.Go(func() {
			for range 3 {
				_, _ = w.SetQuantity(ctx, user, newID(), p.ID, 1)
				_, _ = s.Run(ctx, buy(user))
				_, _ = w.AddLine(ctx, user, newID(), shop.LineOf(p, 1), p.Currency)
			}
		})
	}
	clicks.Wait()
	if left := w.left(t, p); left != 97 {
		t.Errorf("%d left, 3 of 100 may be bought", left)
	}
	_, err = s.Cancel(ctx, user, first.Order.ID)
	check(t, err)
	_, err = w.SetQuantity(ctx, user, newID(), p.ID, 2)
	check(t, err)
	if _, err = s.Run(ctx, buy(user)); err != nil {
		t.Errorf("after cancelling 2: %v", err)
	}
	other := w.fill(t, p)
	if _, err = s.Run(ctx, buy(other)); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	w.drain(t, s)
	w.clean(t)
}
