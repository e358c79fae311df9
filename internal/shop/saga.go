package shop

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// Defaults of [Checkouts].
const (
	checkoutDeadline = 10 * time.Second // the live request gives up; the worker takes over after checkoutTTL
	checkoutTTL      = 30 * time.Second
	compensateWithin = 5 * time.Second
	openAttempts     = 4
)

// CheckoutRequest is one shopper asking to buy the cart.
type CheckoutRequest struct {
	UserID          string
	Key             CheckoutKey
	Payment         PaymentMethod
	ShippingAddress json.RawMessage
	// ArrivedAt is when the request reached the platform: an empty cart whose order was confirmed after that was bought
	// by a concurrent checkout of the same cart, and that order is this request's answer.
	ArrivedAt time.Time
}

// Checkouts runs the checkout saga:
//
//	open (buyer's shard) → reserve (each product's shard) → charge (provider) → confirm (buyer's shard) → commit stock
//
// Invariants, whoever dies between any two steps:
//
//   - stock is never oversold: units leave "available" in Reserve only, conditionally, and come back at most once;
//   - an order is confirmed at most once per cart version, and only with all lines reserved and the charge captured;
//   - a shopper has one open checkout at a time, so that nothing in the cart is bought by two;
//   - a captured charge without a confirmed order is refunded, a reservation without one is released: the outbox row
//     that FailCheckout writes and [Checkouts.Recover] see to it.
//
// No lock is held while the provider is asked.
type Checkouts struct {
	Store    CheckoutStore
	Orders   OrderStore
	Stock    StockStore
	Carts    CartStore
	Products ProductReader
	Pay      PaymentProvider
	NewID    func() string // a UUIDv7
	Now      func() time.Time
	Log      *slog.Logger
	// CommitLater leaves the last step to whoever consumes TopicOrderConfirmed, who does it anyway: the units are taken
	// since Reserve, only the reservation's state follows later.
	CommitLater bool
	// Crash, when set, is called between every two steps with the name of the one just done: a test's place to die.
	Crash func(point string)
}

// CrashPoints are the names that Crash is called with, in the order of the saga.
var CrashPoints = []string{"opened", "reserved", "charged", "confirmed", "committed", "failed", "compensated"}

// CheckoutResult is the outcome of a checkout: an order that is confirmed, or pending when the payment's outcome is
// not known yet.
type CheckoutResult struct {
	Order Order
}

// warn logs what need not fail a request. A nil Log discards.
func (s *Checkouts) warn(ctx context.Context, msg, orderID string, err error) {
	if s.Log != nil {
		s.Log.WarnContext(ctx, msg, "order", orderID, "error", err)
	}
}

func (s *Checkouts) at(point string) {
	if s.Crash != nil {
		s.Crash(point)
	}
}

// Run buys the cart. Errors a shopper sees: CodeEmptyCart, CodeOutOfStock, CodePriceChanged, CodePaymentDeclined,
// CodeIdempotencyMismatch, CodeInvalid; CodeUnavailable when somebody undid the checkout, then nothing was charged. Any
// other error leaves an open checkout that the worker settles; asking again joins it. Once the checkout is open, the
// end of ctx does not stop it; the deadline of 10 s, or an earlier one of ctx, does.
func (s *Checkouts) Run(ctx context.Context, req CheckoutRequest) (CheckoutResult, error) {
	ctx, cancel := context.WithTimeout(ctx, checkoutDeadline)
	defer cancel()
	if err := s.Pay.Validate(req.Payment); err != nil {
		return CheckoutResult{}, err
	}
	c, found, err := s.Store.FindCheckout(ctx, req.UserID, req.Key)
	if err != nil {
		return CheckoutResult{}, err
	}
	if !found {
		if c, err = s.open(ctx, req); err != nil {
			return CheckoutResult{}, err
		}
		s.at("opened")
	}
	// A shopper who hangs up must not leave stock reserved until the worker comes: what was begun is finished.
	deadline, _ := ctx.Deadline()
	dctx, cancelDrive := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancelDrive()
	return s.drive(dctx, c)
}

// open records the attempt, or finds the one to join. A cart that changes underneath is read again.
func (s *Checkouts) open(ctx context.Context, req CheckoutRequest) (Checkout, error) {
	var err error
	for range openAttempts {
		var cart Cart
		if cart, err = s.Carts.Cart(ctx, req.UserID); err != nil {
			return Checkout{}, err
		}
		if len(cart.Items) == 0 {
			return s.emptyCart(ctx, req, cart)
		}
		if err = s.checkPrices(ctx, req.UserID, cart); err != nil {
			return Checkout{}, err
		}
		now := s.Now()
		var c Checkout
		c, err = s.Store.OpenCheckout(ctx, Checkout{
			OrderID: s.NewID(), UserID: req.UserID, CartVersion: cart.Version, State: CheckoutOpen,
			Lines: cart.Items, Total: cart.Subtotal, Currency: cart.Currency, Payment: req.Payment,
			ShippingAddress: req.ShippingAddress, CreatedAt: now, ExpiresAt: now.Add(checkoutTTL),
		}, req.Key)
		if CodeOf(err) != CodeConflict {
			return c, err
		}
		if ferr := s.finishEarlier(ctx, req.UserID, err); ferr != nil {
			return Checkout{}, ferr
		}
	}
	return Checkout{}, err
}

// finishEarlier brings the checkout that a conflict names to its end: what it buys leaves the cart with it, and the rest
// can then be bought. While its payment is unknown the conflict stands. A conflict that names none is nothing to do.
func (s *Checkouts) finishEarlier(ctx context.Context, userID string, conflict error) error {
	var e *Error
	if !errors.As(conflict, &e) || e.OrderID == "" {
		return nil
	}
	c, err := s.Store.CheckoutByID(ctx, userID, e.OrderID)
	if err != nil {
		return err
	}
	r, err := s.drive(ctx, c)
	switch CodeOf(err) {
	case "":
		if r.Order.Status == OrderPending {
			return conflict
		}
		return nil
	case CodeOutOfStock, CodePaymentDeclined, CodeUnavailable: // its answer, not this request's
		return nil
	}
	return err
}

// emptyCart answers for a cart that was bought: the same order for a request that was under way at that time, else 422.
func (s *Checkouts) emptyCart(ctx context.Context, req CheckoutRequest, cart Cart) (Checkout, error) {
	if cart.LastOrderID != "" && !req.ArrivedAt.IsZero() {
		c, err := s.Store.CheckoutByID(ctx, req.UserID, cart.LastOrderID)
		if err != nil {
			return Checkout{}, err
		}
		answered := cart.LastOrderAt
		if answered.IsZero() { // whoever confirmed it has yet to answer, or died: it had so long to do so
			answered = c.FinishedAt.Add(checkoutDeadline)
		}
		if req.ArrivedAt.Before(answered) {
			return c, nil
		}
	}
	e := Errorf(CodeEmptyCart, "the cart is empty: add a product with POST /cart/add first")
	if cart.LastOrderID != "" {
		e.Detail = "the cart is empty: it was bought as order " + cart.LastOrderID
		e.OrderID = cart.LastOrderID
	}
	return Checkout{}, e
}

// checkPrices refuses to charge another price than the cart shows; the cart is brought up to date so that asking again
// goes through. Products that are gone from the catalogue are out of stock.
func (s *Checkouts) checkPrices(ctx context.Context, userID string, cart Cart) error {
	products, err := s.Products.Products(ctx, lineIDs(cart.Items))
	if err != nil {
		return err
	}
	byID := make(map[int64]Product, len(products))
	for _, p := range products {
		byID[p.ID] = p
	}
	var gone, changed []LineError
	var fresh []Line
	for _, l := range cart.Items {
		p, ok := byID[l.ProductID]
		switch {
		case !ok || p.Currency != cart.Currency:
			gone = append(gone, LineError{ProductID: l.ProductID, Name: l.Name, Requested: l.Quantity})
		case p.Price != l.UnitPrice:
			changed = append(changed, LineError{ProductID: l.ProductID, Name: p.Name, Requested: l.Quantity,
				OldPrice: l.UnitPrice, NewPrice: p.Price})
			fresh = append(fresh, LineOf(p, l.Quantity))
		}
	}
	if len(gone) > 0 {
		return &Error{Code: CodeOutOfStock, Detail: "some products are no longer sold: remove them from the cart", Lines: gone}
	}
	if len(changed) > 0 {
		if _, err := s.Carts.Reprice(ctx, userID, fresh); err != nil {
			return err
		}
		return &Error{Code: CodePriceChanged, Lines: changed,
			Detail: "prices changed since they were put into the cart; the cart now shows the new ones: check and ask again"}
	}
	return nil
}

// LineOf makes a cart line of a product.
func LineOf(p Product, quantity int64) Line {
	return Line{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Quantity: quantity, UnitPrice: p.Price, LineTotal: p.Price * quantity}
}
