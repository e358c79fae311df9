package app

import (
	"context"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

func (s *stack) payments() shop.PaymentProvider {
	switch {
	case s.cfg.Payment.Provider != "test":
		return noPayments{}
	case s.batched != nil:
		return postgres.NewBatchedTestPay(s.batched, postgres.TestPayOptions{})
	}
	return postgres.NewTestPay(s.cluster, postgres.TestPayOptions{})
}

// noPayments refuses checkouts until a provider is configured, instead of giving goods away.
type noPayments struct{}

var errNoPayments = shop.Errorf(shop.CodeUnavailable, "no payment provider is configured: set payment.provider")

func (noPayments) Name() string                      { return "none" }
func (noPayments) Validate(shop.PaymentMethod) error { return errNoPayments }
func (noPayments) Charge(context.Context, string, int64, string, shop.PaymentMethod) (shop.Charge, error) {
	return shop.Charge{}, errNoPayments
}
func (noPayments) Settle(context.Context, string) (shop.Charge, error) {
	return shop.Charge{}, errNoPayments
}
func (noPayments) Refund(context.Context, string) (shop.Charge, error) {
	return shop.Charge{}, errNoPayments
}
