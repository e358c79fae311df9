package shop

import (
	"context"
	"encoding/json"
	"time"
)

// CheckoutState is where a checkout stands. It moves open → confirmed | failed, once.
type CheckoutState string

// The states of a checkout.
const (
	CheckoutOpen      CheckoutState = "open"
	CheckoutConfirmed CheckoutState = "confirmed"
	CheckoutFailed    CheckoutState = "failed"
)

// Checkout is the durable record of one attempt to buy one version of a cart: the coordinator of the saga. It lives on
// the buyer's shard. Whoever moves it from open decides the outcome; everything else follows from it and can be
// repeated by anybody: an API process, another one that joined, or the worker after a crash.
type Checkout struct {
	OrderID         string
	UserID          string
	CartVersion     int64
	State           CheckoutState
	Reason          Code        // why it failed: CodeOutOfStock, CodePaymentDeclined, CodeUnavailable (abandoned)
	Shortage        []LineError // for CodeOutOfStock
	Lines           []Line
	Total           int64
	Currency        string
	Payment         PaymentMethod
	ShippingAddress json.RawMessage
	PaymentUnknown  bool // the provider was asked and did not answer: shown as pending
	CreatedAt       time.Time
	FinishedAt      time.Time // by the database's clock; zero while open
	// ExpiresAt is when the worker may take an open checkout over.
	ExpiresAt time.Time
}

// ProductIDs are the ids of the checkout's lines.
func (c Checkout) ProductIDs() []int64 { return lineIDs(c.Lines) }

// order is what a checkout became when it was confirmed.
func (c Checkout) order() Order {
	return Order{ID: c.OrderID, UserID: c.UserID, Status: OrderConfirmed, Items: c.Lines, Subtotal: c.Total, Total: c.Total,
		Currency: c.Currency, ShippingAddress: c.ShippingAddress, CreatedAt: c.CreatedAt, UpdatedAt: c.FinishedAt}
}

// CheckoutKey identifies a request: an Idempotency-Key (may be empty) and a hash of the request's body.
type CheckoutKey struct {
	Key  string
	Hash []byte
}

// CheckoutStore keeps checkouts on the buyer's shard.
type CheckoutStore interface {
	// FindCheckout returns the checkout a key was used for. found is false when the key is empty, unknown or older than
	// 24 h, or when its checkout failed with CodeUnavailable: the shopper was told to ask again, so the key is free.
	// CodeIdempotencyMismatch when the hash differs.
	FindCheckout(ctx context.Context, userID string, key CheckoutKey) (c Checkout, found bool, err error)
	// CheckoutByID returns one checkout, or CodeNotFound.
	CheckoutByID(ctx context.Context, userID, orderID string) (Checkout, error)
	// OpenCheckout records c (State open) if the cart still has c.CartVersion, else CodeConflict. When an open or
	// confirmed checkout of that cart version exists, that one is returned instead (joined). The key, when not empty,
	// is bound to whichever is returned, in the same transaction. While a checkout of another version of the cart is
	// open nothing is recorded, because the cart still holds what that one buys: CodeConflict with its OrderID.
	OpenCheckout(ctx context.Context, c Checkout, key CheckoutKey) (Checkout, error)
	// MarkPaymentUnknown sets PaymentUnknown on an open checkout.
	MarkPaymentUnknown(ctx context.Context, userID, orderID string) error
	// ConfirmCheckout moves open → confirmed and writes, in the same transaction, order, items, payment, the bought
	// quantities taken out of the cart (a new version), and the TopicOrderConfirmed outbox row. The record is returned
	// as it then stands: confirmed also when it was before, failed when somebody failed it first (then nothing is written).
	ConfirmCheckout(ctx context.Context, userID, orderID string, ch Charge, provider string) (Checkout, error)
	// MarkAnswered notes on the bought cart (LastOrderAt) that its buyer is being told of the order: checkouts of it that
	// arrive from now on come after the sale.
	MarkAnswered(ctx context.Context, userID, orderID string) error
	// FailCheckout moves open → failed with a TopicCheckoutFailed outbox row; returned as ConfirmCheckout does.
	FailCheckout(ctx context.Context, userID, orderID string, reason Code, shortage []LineError) (Checkout, error)
	// ExpiredCheckouts lists up to limit open checkouts, over all shards, whose ExpiresAt has passed.
	ExpiredCheckouts(ctx context.Context, limit int) ([]Checkout, error)
}

// CartOpener is what a CheckoutStore may be able to do besides: the usual case in fewer steps. What is unusual in any way
// is left to the methods of CheckoutStore.
type CartOpener interface {
	// OpenCart does FindCheckout, reading the cart, and OpenCheckout at once: it records draft, completed by what is in
	// the cart, and binds the key, when not empty, to it. ok is false, and nothing is changed, when the key was used
	// before, the cart is empty or being edited, or a checkout of the shopper is open.
	OpenCart(ctx context.Context, draft Checkout, key CheckoutKey) (c Checkout, ok bool, err error)
	// ConfirmOpen is ConfirmCheckout for a caller that has the whole checkout, as it was recorded.
	ConfirmOpen(ctx context.Context, c Checkout, ch Charge, provider string) (Checkout, error)
}
