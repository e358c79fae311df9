package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestTestPay(t *testing.T) { bothWays(t, checkTestPay) }

func checkTestPay(t *testing.T, w *world) {
	ctx := t.Context()
	charge := func(key, outcome string) (shop.Charge, error) {
		return w.pay.Charge(ctx, key, 500, "USD", shop.PaymentMethod{Outcome: outcome})
	}
	for _, c := range []struct {
		outcome                  string
		unknown                  bool
		first, settled, refunded shop.ChargeStatus
	}{
		{"", false, shop.ChargeCaptured, shop.ChargeCaptured, shop.ChargeRefunded},
		{"approve", false, shop.ChargeCaptured, shop.ChargeCaptured, shop.ChargeRefunded},
		{"decline", false, shop.ChargeDeclined, shop.ChargeDeclined, shop.ChargeDeclined},
		{"timeout", true, "", shop.ChargeCancelled, shop.ChargeCancelled},
		{"late", true, "", shop.ChargeCaptured, shop.ChargeRefunded},
	} {
		key := newID()
		ch, err := charge(key, c.outcome)
		if errors.Is(err, shop.ErrPaymentUnknown) != c.unknown || (!c.unknown && err != nil) || ch.Status != c.first {
			t.Fatalf("%s: %+v, %v", c.outcome, ch, err)
		}
		ref := ""
		for range 2 {
			if ch, err = w.pay.Settle(ctx, key); err != nil || ch.Status != c.settled || (ref != "" && ch.Ref != ref) {
				t.Fatalf("%s settled: %+v, %v", c.outcome, ch, err)
			}
			ref = ch.Ref
		}
		for range 2 {
			if ch, err = w.pay.Refund(ctx, key); err != nil || ch.Status != c.refunded || ch.Ref != ref {
				t.Fatalf("%s refunded: %+v, %v", c.outcome, ch, err)
			}
		}
		if ch, err = charge(key, "approve"); err != nil || ch.Status != c.refunded {
			t.Fatalf("%s charged again: %+v, %v", c.outcome, ch, err)
		}
	}
	key := newID()
	_, err := charge(key, "approve")
	check(t, err)
	_, err = w.pay.Charge(ctx, key, 501, "USD", shop.PaymentMethod{})
	wantCode(t, err, shop.CodeConflict)
	if ch, err := w.pay.Refund(ctx, newID()); err != nil || ch.Status != shop.ChargeCancelled {
		t.Fatalf("refund of nothing: %+v, %v", ch, err)
	}
	var bad *shop.Error
	if err := w.pay.Validate(shop.PaymentMethod{Method: "test", Outcome: "x"}); !errors.As(err, &bad) || bad.Fields[0].Field != "payment.outcome" {
		t.Fatal(err)
	}
	if err := w.pay.Validate(shop.PaymentMethod{Method: "cash"}); !errors.As(err, &bad) || bad.Fields[0].Field != "payment.method" {
		t.Fatal(err)
	}
}

// Charges and settlements of one key at once agree on what became of it.
func TestChargeRacesWithSettle(t *testing.T) { bothWays(t, checkChargeRacesWithSettle) }

func checkChargeRacesWithSettle(t *testing.T, w *world) {
	for range 20 {
		key := newID()
		var mu sync.Mutex
		seen := map[shop.ChargeStatus]bool{}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				ch, err := w.pay.Settle(t.Context(), key)
				if i%2 == 0 {
					ch, err = w.pay.Charge(t.Context(), key, 5, "USD", shop.PaymentMethod{})
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[ch.Status] = true
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(seen) != 1 {
			t.Fatalf("%v", seen)
		}
	}
}
