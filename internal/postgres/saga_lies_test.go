package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/internal/shop"
)

// lie is a way for a shop to be broken.
type lie struct {
	stores func(stores) stores
	pay    func(shop.PaymentProvider) shop.PaymentProvider
	deaf   string // the worker loses events of this topic
}

// Each of these shops is broken in one way, and the model of TestSagaFollowsItsModel notices each.
func TestModelNoticesBrokenShops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of := func(broken func(stores) stores) lie { return lie{stores: broken} }
	for name, l := range map[string]lie{
		"it sells what it has not":               of(func(s stores) stores { return overselling{s} }),
		"it keeps the units of failed checkouts": of(func(s stores) stores { return hoarding{s} }),
		"it restocks more than was returned":     of(func(s stores) stores { return doubling{s} }),
		"it forgets keys":                        of(func(s stores) stores { return forgetful{s} }),
		"it takes another body for the same":     of(func(s stores) stores { return careless{s} }),
		"it leaves what was bought in the cart":  of(func(s stores) stores { return sticky{s} }),
		"it adds twice what was sent twice":      of(func(s stores) stores { return repeating{s} }),
		"it forgets whom it told":                of(func(s stores) stores { return silent{s} }),
		"its worker sees nothing":                of(func(s stores) stores { return blind{s} }),
		"its worker loses failures":              {deaf: shop.TopicCheckoutFailed},
		"its worker loses cancellations":         {deaf: shop.TopicOrderCancelled},
		"it never refunds":                       {pay: func(p shop.PaymentProvider) shop.PaymentProvider { return stingy{p} }},
		"it takes late money and fails":          {pay: func(p shop.PaymentProvider) shop.PaymentProvider { return dishonest{p} }},
		"it charges what was declined":           {pay: func(p shop.PaymentProvider) shop.PaymentProvider { return greedy{p} }},
	} {
		t.Run(name, func(t *testing.T) {
			if !w.noticed(t, l) {
				t.Error("the model did not notice")
			}
		})
	}
}

type noticed struct{ text string }

// noticed runs the model on a broken shop until it objects.
func (w *world) noticed(t *testing.T, l lie) bool {
	found := false
	rapid.Check(t, func(rt *rapid.T) {
		if found {
			return
		}
		defer func() {
			if n, ours := recover().(noticed); ours {
				found = true
				t.Log(n.text)
			}
		}()
		broken := *w
		c := &clerk{world: &broken, pay: w.pay, deaf: l.deaf, reached: map[string]int{}, fatalf: func(format string, args ...any) {
			panic(noticed{fmt.Sprintf(format, args...)})
		}}
		if l.stores != nil {
			broken.stores = l.stores(w.stores)
		}
		if l.pay != nil {
			c.pay = l.pay(w.pay)
		}
		c.run(t, rt)
	})
	return found
}

type overselling struct{ stores }

func (s overselling) Reserve(ctx context.Context, r shop.Reservation) error {
	err := s.stores.Reserve(ctx, r)
	if shop.CodeOf(err) == shop.CodeOutOfStock {
		return nil
	}
	return err
}

type hoarding struct{ stores }

func (hoarding) Release(context.Context, string, []int64) error { return nil }

type doubling struct{ stores }

func (s doubling) Return(ctx context.Context, order string, products []int64) error {
	err := s.stores.Return(ctx, order, products)
	for _, id := range products {
		left, lerr := s.Available(ctx, []int64{id})
		err = errors.Join(err, lerr, s.SetAvailable(ctx, "liar", id, left[id]+1))
	}
	return err
}

type forgetful struct{ stores }

func (s forgetful) FindCheckout(context.Context, string, shop.CheckoutKey) (shop.Checkout, bool, error) {
	return shop.Checkout{}, false, nil
}

func (s forgetful) OpenCheckout(ctx context.Context, c shop.Checkout, _ shop.CheckoutKey) (shop.Checkout, error) {
	return s.stores.OpenCheckout(ctx, c, shop.CheckoutKey{})
}

type careless struct{ stores }

func (s careless) FindCheckout(ctx context.Context, user string, key shop.CheckoutKey) (shop.Checkout, bool, error) {
	return s.stores.FindCheckout(ctx, user, shop.CheckoutKey{Key: key.Key})
}

func (s careless) OpenCheckout(ctx context.Context, c shop.Checkout, key shop.CheckoutKey) (shop.Checkout, error) {
	return s.stores.OpenCheckout(ctx, c, shop.CheckoutKey{Key: key.Key})
}

type sticky struct{ stores }

func (s sticky) ConfirmCheckout(ctx context.Context, user, order string, ch shop.Charge, provider string) (shop.Checkout, error) {
	c, err := s.stores.ConfirmCheckout(ctx, user, order, ch, provider)
	if err == nil && c.State == shop.CheckoutConfirmed {
		_, err = s.AddLine(ctx, user, "", c.Lines[0], c.Currency)
	}
	return c, err
}

type repeating struct{ stores }

func (s repeating) AddLine(ctx context.Context, user, _ string, l shop.Line, currency string) (shop.Cart, error) {
	return s.stores.AddLine(ctx, user, "", l, currency)
}

type silent struct{ stores }

func (silent) MarkAnswered(context.Context, string, string) error { return nil }

type blind struct{ stores }

func (blind) ExpiredCheckouts(context.Context, int) ([]shop.Checkout, error) { return nil, nil }

type stingy struct{ shop.PaymentProvider }

func (p stingy) Refund(ctx context.Context, key string) (shop.Charge, error) {
	return p.Settle(ctx, key)
}

type dishonest struct{ shop.PaymentProvider }

func (p dishonest) Settle(ctx context.Context, key string) (shop.Charge, error) {
	ch, err := p.PaymentProvider.Settle(ctx, key)
	ch.Status = shop.ChargeCancelled
	return ch, err
}

func (p dishonest) Refund(ctx context.Context, key string) (shop.Charge, error) {
	return p.Settle(ctx, key)
}

type greedy struct{ shop.PaymentProvider }

func (p greedy) Charge(ctx context.Context, key string, amount int64, currency string, m shop.PaymentMethod) (shop.Charge, error) {
	if m.Outcome != "decline" {
		return p.PaymentProvider.Charge(ctx, key, amount, currency, m)
	}
	ch, err := p.PaymentProvider.Charge(ctx, key, amount, currency, shop.PaymentMethod{})
	ch.Status = shop.ChargeDeclined
	return ch, err
}

func (p greedy) Refund(ctx context.Context, key string) (shop.Charge, error) {
	return shop.Charge{}, nil
}
