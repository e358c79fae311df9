package shop

import (
	"context"
	"errors"
)

// drive takes a checkout from wherever it stands to its end. Several may drive the same one at once.
func (s *Checkouts) drive(ctx context.Context, c Checkout) (CheckoutResult, error) {
	if c.State != CheckoutOpen {
		return s.answer(ctx, c)
	}
	err := s.Stock.Reserve(ctx, Reservation{OrderID: c.OrderID, UserID: c.UserID, Lines: c.Lines, ExpiresAt: c.ExpiresAt})
	var short *Error
	if errors.As(err, &short) && short.Code == CodeOutOfStock {
		s.at("refused")
		return s.refuse(ctx, c, CodeOutOfStock, short.Lines)
	}
	if CodeOf(err) == CodeConflict { // released already: somebody failed this checkout, whose answer it is
		return s.refuse(ctx, c, CodeUnavailable, nil)
	}
	if err != nil {
		return CheckoutResult{}, err
	}
	s.at("reserved")
	ch, err := s.Pay.Charge(ctx, c.OrderID, c.Total, c.Currency, c.Payment)
	if errors.Is(err, ErrPaymentUnknown) {
		s.at("unknown")
		return s.pending(ctx, c)
	}
	if err != nil {
		return CheckoutResult{}, err
	}
	s.at("charged")
	switch ch.Status {
	case ChargeCaptured:
		done, err := s.confirm(ctx, c, ch)
		if err != nil {
			return CheckoutResult{}, err
		}
		if done.State == CheckoutConfirmed { // what it says is the order, to the letter
			if err := s.Store.MarkAnswered(ctx, c.UserID, c.OrderID); err != nil {
				s.warn(ctx, "not noted when the order was answered", c.OrderID, err)
			}
			return CheckoutResult{Order: done.order()}, nil
		}
		return s.answer(ctx, done)
	case ChargeDeclined:
		return s.refuse(ctx, c, CodePaymentDeclined, nil)
	default: // settled or refunded by somebody who decided this checkout before: theirs is the answer
		return s.refuse(ctx, c, CodeUnavailable, nil)
	}
}

// refuse ends the attempt and answers with what it came to, which another driver may have decided.
func (s *Checkouts) refuse(ctx context.Context, c Checkout, reason Code, shortage []LineError) (CheckoutResult, error) {
	done, err := s.fail(ctx, c, reason, shortage)
	if err != nil {
		return CheckoutResult{}, err
	}
	return s.answer(ctx, done)
}

// pending answers that the outcome is not known yet, unless somebody learnt it in the meantime.
func (s *Checkouts) pending(ctx context.Context, c Checkout) (CheckoutResult, error) {
	if err := s.Store.MarkPaymentUnknown(ctx, c.UserID, c.OrderID); err != nil {
		return CheckoutResult{}, err
	}
	now, err := s.Store.CheckoutByID(ctx, c.UserID, c.OrderID)
	if err != nil {
		return CheckoutResult{}, err
	}
	if now.State != CheckoutOpen {
		return s.answer(ctx, now)
	}
	o, err := s.Orders.Order(ctx, c.UserID, c.OrderID)
	return CheckoutResult{Order: o}, err
}

// confirm makes the order, unless somebody failed the checkout, and returns the checkout as it then stands. Stock is
// committed at once as a courtesy; the outbox row does it for certain.
func (s *Checkouts) confirm(ctx context.Context, c Checkout, ch Charge) (Checkout, error) {
	var done Checkout
	var err error
	if o, ok := s.Store.(CartOpener); ok {
		done, err = o.ConfirmOpen(ctx, c, ch, s.Pay.Name())
	} else {
		done, err = s.Store.ConfirmCheckout(ctx, c.UserID, c.OrderID, ch, s.Pay.Name())
	}
	if err != nil {
		return Checkout{}, err
	}
	s.at("confirmed")
	if done.State == CheckoutFailed {
		s.compensate(ctx, done)
		s.at("compensated")
		return done, nil
	}
	if s.CommitLater {
		return done, nil
	}
	if err := s.Stock.Commit(ctx, c.OrderID, c.ProductIDs()); err != nil {
		s.warn(ctx, "stock commit left to the worker", c.OrderID, err)
	}
	s.at("committed")
	return done, nil
}

// fail ends the attempt, unless somebody confirmed it, then gives back what it took; the checkout is returned as it
// stands. Failing first keeps another driver from confirming.
func (s *Checkouts) fail(ctx context.Context, c Checkout, reason Code, shortage []LineError) (Checkout, error) {
	done, err := s.Store.FailCheckout(ctx, c.UserID, c.OrderID, reason, shortage)
	if err != nil {
		return Checkout{}, err
	}
	s.at("failed")
	if done.State == CheckoutFailed {
		s.compensate(ctx, done)
		s.at("compensated")
	}
	return done, nil
}

// answer turns a finished checkout into what the shopper is told.
func (s *Checkouts) answer(ctx context.Context, c Checkout) (CheckoutResult, error) {
	switch {
	case c.State == CheckoutConfirmed:
		o, err := s.Orders.Order(ctx, c.UserID, c.OrderID)
		return CheckoutResult{Order: o}, err
	case c.Reason == CodeOutOfStock:
		return CheckoutResult{}, &Error{Code: CodeOutOfStock, Lines: c.Shortage,
			Detail: "some products are sold out or have too few units left: lower the quantity or remove them"}
	case c.Reason == CodePaymentDeclined:
		return CheckoutResult{}, &Error{Code: CodePaymentDeclined, OrderID: c.OrderID,
			Detail: "the payment was declined: use another payment method; the cart is as it was"}
	default:
		return CheckoutResult{}, &Error{Code: CodeUnavailable, OrderID: c.OrderID,
			Detail: "the checkout was interrupted and undone; nothing was charged: ask again"}
	}
}
