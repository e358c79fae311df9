package shop

import (
	"context"
	"errors"
)

// ErrPaymentUnknown means that the provider's answer did not arrive: the money may or may not have moved.
var ErrPaymentUnknown = errors.New("shop: payment outcome unknown")

// PaymentMethod is the shopper's choice. Outcome steers the test provider: approve (default), decline, timeout, late.
type PaymentMethod struct {
	Method  string `json:"method"`
	Outcome string `json:"outcome,omitempty"`
}

// ChargeStatus is what the provider knows of a charge.
type ChargeStatus string

// Captured: the money moved. Declined: it did not and will not. Cancelled: voided before capture. Refunded: given back.
const (
	ChargeCaptured  ChargeStatus = "captured"
	ChargeDeclined  ChargeStatus = "declined"
	ChargeCancelled ChargeStatus = "cancelled"
	ChargeRefunded  ChargeStatus = "refunded"
)

// Charge is one payment at the provider. Key is the idempotency key (the order id): charging twice under one key moves
// money once and gives the same answer, as with Stripe's PaymentIntents.
type Charge struct {
	Key      string
	Ref      string // the provider's own id
	Amount   int64  // minor units
	Currency string
	Status   ChargeStatus
}

// PaymentProvider moves money.
type PaymentProvider interface {
	Name() string
	// Validate rejects a method this provider does not take, with CodeInvalid on field "payment.method" or
	// "payment.outcome".
	Validate(m PaymentMethod) error
	// Charge authorises and captures. ErrPaymentUnknown when no answer came in time. A key that was cancelled stays so.
	Charge(ctx context.Context, key string, amount int64, currency string, m PaymentMethod) (Charge, error)
	// Settle makes the outcome under a key definite: a captured or declined charge is returned as it is; anything else,
	// also a key never seen, becomes cancelled, so that a charge arriving later cannot succeed.
	Settle(ctx context.Context, key string) (Charge, error)
	// Refund gives a captured charge back, once; a key that is not captured becomes cancelled.
	Refund(ctx context.Context, key string) (Charge, error)
}
