package shop

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The saga on real shards, with crashes and races, is tested in internal/postgres; here is what needs only a script.

// script is a checkout store, an order store and a payment provider that answer as told.
type script struct {
	CheckoutStore
	OrderStore
	PaymentProvider
	settled  Charge
	standing Checkout
	err      error
	reason   Code
	charge   error
}

func (s *script) Name() string                 { return "script" }
func (s *script) Validate(PaymentMethod) error { return nil }
func (s *script) Order(_ context.Context, _, id string) (Order, error) {
	return Order{ID: id, Status: OrderConfirmed}, nil
}
func (s *script) Settle(context.Context, string) (Charge, error) { return s.settled, nil }
func (s *script) Refund(context.Context, string) (Charge, error) { return s.settled, nil }
func (s *script) Charge(context.Context, string, int64, string, PaymentMethod) (Charge, error) {
	return Charge{}, s.charge
}
func (s *script) FindCheckout(context.Context, string, CheckoutKey) (Checkout, bool, error) {
	return Checkout{OrderID: "o", State: CheckoutOpen}, true, nil
}
func (s *script) CheckoutByID(context.Context, string, string) (Checkout, error) {
	return s.standing, nil
}
func (s *script) MarkAnswered(context.Context, string, string) error { return nil }

func (s *script) MarkPaymentUnknown(context.Context, string, string) error { return nil }
func (s *script) FailCheckout(_ context.Context, _, _ string, reason Code, _ []LineError) (Checkout, error) {
	s.reason = reason
	return Checkout{State: CheckoutFailed, Reason: reason}, s.err
}

// stockOf counts what is asked of a stock store.
type stockOf struct {
	StockStore
	released int
}

func (s *stockOf) Reserve(context.Context, Reservation) error { return nil }
func (s *stockOf) Release(context.Context, string, []int64) error {
	s.released++
	return nil
}

func scripted(s *script) (*Checkouts, *stockOf) {
	stock := &stockOf{}
	return &Checkouts{Store: s, Orders: s, Pay: s, Stock: stock, Now: time.Now}, stock
}

func TestRecover(t *testing.T) {
	t.Parallel()
	down := Errorf(CodeUnavailable, "the shard is down")
	for _, c := range []struct {
		name     string
		settled  ChargeStatus
		unknown  bool
		err      error
		reason   Code
		released int
	}{
		{"never charged", ChargeCancelled, false, nil, CodeUnavailable, 1},
		{"declined", ChargeDeclined, false, nil, CodePaymentDeclined, 1},
		{"the provider never got it", ChargeCancelled, true, nil, CodePaymentDeclined, 1},
		{"the shard is down: a failure, not an outcome", ChargeCancelled, false, down, CodeUnavailable, 0},
	} {
		s := &script{settled: Charge{Status: c.settled}, err: c.err}
		saga, stock := scripted(s)
		err := saga.Recover(t.Context(), Checkout{OrderID: "o", State: CheckoutOpen, PaymentUnknown: c.unknown})
		if !errors.Is(err, c.err) || s.reason != c.reason || stock.released != c.released {
			t.Errorf("%s: %v, reason %q, released %d times", c.name, err, s.reason, stock.released)
		}
	}
	s := &script{}
	saga, _ := scripted(s)
	if err := saga.Recover(t.Context(), Checkout{State: CheckoutConfirmed}); err != nil || s.reason != "" {
		t.Errorf("a finished checkout was touched: %v", err)
	}
}

// The answer was lost, but somebody else learnt the outcome: that is what the shopper hears.
func TestUnknownPaymentDecidedMeanwhile(t *testing.T) {
	t.Parallel()
	s := &script{charge: ErrPaymentUnknown, standing: Checkout{OrderID: "o", State: CheckoutFailed, Reason: CodePaymentDeclined}}
	saga, _ := scripted(s)
	if _, err := saga.Run(t.Context(), CheckoutRequest{Key: CheckoutKey{Key: "k"}}); CodeOf(err) != CodePaymentDeclined {
		t.Errorf("failed meanwhile: %v", err)
	}
	s.standing.State = CheckoutConfirmed
	if r, err := saga.Run(t.Context(), CheckoutRequest{Key: CheckoutKey{Key: "k"}}); err != nil || r.Order.Status != OrderConfirmed {
		t.Errorf("confirmed meanwhile: %+v, %v", r, err)
	}
}

// A provider that fails for another reason leaves the checkout open for the worker: nothing is decided.
func TestFailingProviderDecidesNothing(t *testing.T) {
	t.Parallel()
	down := Errorf(CodeUnavailable, "down")
	s := &script{charge: down}
	saga, stock := scripted(s)
	if _, err := saga.Run(t.Context(), CheckoutRequest{Key: CheckoutKey{Key: "k"}}); !errors.Is(err, down) || s.reason != "" || stock.released != 0 {
		t.Errorf("%v, reason %q, released %d times", err, s.reason, stock.released)
	}
}
