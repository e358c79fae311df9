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
	notePoll         = 10 * time.Millisecond
	noteWithin       = time.Second // a note that an order was answered is written within this, unless its writer died
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
	// Hold is what HeaderHold brought: products that the shopper may not buy yet.
	Hold string
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
	// PurchaseLimit is how many units of a product one shopper may buy, unless the product says otherwise; 0 is no limit.
	PurchaseLimit int64
	// Crash, when set, is called between every two steps with the name of the one just done: a test's place to die.
	Crash func(point string)
}

// CrashPoints are the names that Crash is called with, in the order of the saga. "refused": too little stock, and the
// checkout not failed yet; "unknown": no answer from the provider, and that not noted yet; "refunded": the money is given
// back, the units not yet. The last two are of [Checkouts.Recover], between the provider's word and what follows from it,
// and of [Checkouts.Cancel], before anything is given back.
var CrashPoints = []string{"opened", "reserved", "refused", "charged", "unknown", "confirmed", "committed", "failed", "refunded",
	"compensated", "settled", "cancelled"}

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
// CodePurchaseLimit, CodeWaitingRoom,
// CodeIdempotencyMismatch, CodeInvalid; CodeUnavailable when somebody undid the checkout, then nothing was charged. Any
// other error leaves an open checkout that the worker settles; asking again joins it. Once the checkout is open, the
// end of ctx does not stop it; the deadline of 10 s, or an earlier one of ctx, does.
func (s *Checkouts) Run(ctx context.Context, req CheckoutRequest) (CheckoutResult, error) {
	ctx, cancel := context.WithTimeout(ctx, checkoutDeadline)
	defer cancel()
	if err := s.Pay.Validate(req.Payment); err != nil {
		return CheckoutResult{}, err
	}
	if err := s.checkHold(ctx, req); err != nil {
		return CheckoutResult{}, err
	}
	c, err := s.begin(ctx, req)
	if err != nil {
		return CheckoutResult{}, err
	}
	// A shopper who hangs up must not leave stock reserved until the worker comes: what was begun is finished.
	deadline, _ := ctx.Deadline()
	dctx, cancelDrive := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancelDrive()
	return s.drive(dctx, c)
}

// begin finds the checkout that a request is about, or opens it.
func (s *Checkouts) begin(ctx context.Context, req CheckoutRequest) (Checkout, error) {
	if o, ok := s.Store.(CartOpener); ok {
		if c, opened, err := s.openCart(ctx, o, req); opened || err != nil {
			return c, err
		}
	}
	c, found, err := s.Store.FindCheckout(ctx, req.UserID, req.Key)
	if err != nil || found {
		return c, err
	}
	if c, err = s.open(ctx, req); err != nil {
		return Checkout{}, err
	}
	s.at("opened")
	return c, nil
}

// openCart opens a checkout of whatever is in the cart and then looks at the prices. If they are not what the cart shows,
// the checkout fails before anything was taken for it; its key is free again.
func (s *Checkouts) openCart(ctx context.Context, o CartOpener, req CheckoutRequest) (c Checkout, opened bool, err error) {
	c, opened, err = o.OpenCart(ctx, s.draft(req), req.Key)
	if err != nil || !opened {
		return Checkout{}, false, err
	}
	s.at("opened")
	err = s.check(ctx, req.UserID, c.OrderID, Cart{ID: req.UserID, Items: c.Lines, Currency: c.Currency})
	if err == nil {
		return c, true, nil
	}
	fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compensateWithin)
	defer cancel()
	if _, ferr := s.fail(fctx, c, CodeUnavailable, nil); ferr != nil {
		s.warn(ctx, "a checkout at old prices is left to the worker", c.OrderID, ferr)
	}
	return Checkout{}, false, err
}

// draft is the checkout of a request before its cart is known.
func (s *Checkouts) draft(req CheckoutRequest) Checkout {
	now := s.Now()
	return Checkout{OrderID: s.NewID(), UserID: req.UserID, State: CheckoutOpen, Payment: req.Payment,
		ShippingAddress: req.ShippingAddress, CreatedAt: now, ExpiresAt: now.Add(checkoutTTL)}
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
		if err = s.check(ctx, req.UserID, "", cart); err != nil {
			return Checkout{}, err
		}
		c := s.draft(req)
		c.CartVersion, c.Lines, c.Total, c.Currency = cart.Version, cart.Items, cart.Subtotal, cart.Currency
		c, err = s.Store.OpenCheckout(ctx, c, req.Key)
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
		answered, err := s.answered(ctx, req, cart, c)
		if err != nil {
			return Checkout{}, err
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

// answered is when the buyer of a cart was told of its order. The note of it is written a moment after the answer, so a
// cart without one is looked at again for as long as that may take; then whoever confirmed it has yet to answer, or died.
func (s *Checkouts) answered(ctx context.Context, req CheckoutRequest, cart Cart, c Checkout) (time.Time, error) {
	tick := time.NewTicker(notePoll)
	defer tick.Stop()
	for cart.LastOrderAt.IsZero() && cart.LastOrderID == c.OrderID {
		if s.Now().After(c.FinishedAt.Add(noteWithin)) {
			return c.FinishedAt.Add(checkoutDeadline), nil // it had so long to do so
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-tick.C:
		}
		var err error
		if cart, err = s.Carts.Cart(ctx, req.UserID); err != nil {
			return time.Time{}, err
		}
	}
	if cart.LastOrderID != c.OrderID { // bought again since: the answer to c was given
		return c.FinishedAt, nil
	}
	return cart.LastOrderAt, nil
}

// check refuses to charge another price than the cart shows; the cart is brought up to date so that asking again
// goes through. Products that are gone from the catalogue are out of stock. Nor is more sold than one shopper may buy;
// orderID is the checkout under way, if it is recorded.
func (s *Checkouts) check(ctx context.Context, userID, orderID string, cart Cart) error {
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
	return s.checkLimits(ctx, userID, orderID, cart.Items, byID)
}

// LineOf makes a cart line of a product.
func LineOf(p Product, quantity int64) Line {
	return Line{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Quantity: quantity, UnitPrice: p.Price, LineTotal: p.Price * quantity}
}
