package shop

import (
	"context"
	"errors"
)

// compensate gives stock and money back now; what does not succeed, the worker repeats from the outbox.
func (s *Checkouts) compensate(ctx context.Context, c Checkout) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compensateWithin)
	defer cancel()
	if err := s.Undo(ctx, OrderEvent{OrderID: c.OrderID, UserID: c.UserID, ProductIDs: c.ProductIDs()}); err != nil {
		s.warn(ctx, "compensation left to the worker", c.OrderID, err)
	}
}

// Undo gives back what a failed checkout took: its charge is refunded or made impossible, its reservations released.
// Idempotent; the worker calls it for every TopicCheckoutFailed.
func (s *Checkouts) Undo(ctx context.Context, e OrderEvent) error {
	_, payErr := s.Pay.Refund(ctx, e.OrderID)
	s.at("refunded")
	return errors.Join(payErr, s.Stock.Release(ctx, e.OrderID, e.ProductIDs))
}

// UndoCancelled refunds and restocks a cancelled order. Idempotent; called at the cancellation and again by the worker
// for every TopicOrderCancelled.
func (s *Checkouts) UndoCancelled(ctx context.Context, e OrderEvent) error {
	_, payErr := s.Pay.Refund(ctx, e.OrderID)
	s.at("refunded")
	return errors.Join(payErr, s.Stock.Return(ctx, e.OrderID, e.ProductIDs))
}

// Cancel cancels the user's order and restocks it once.
func (s *Checkouts) Cancel(ctx context.Context, userID, orderID string) (Order, error) {
	o, changed, err := s.Orders.CancelOrder(ctx, userID, orderID)
	if err != nil || !changed {
		return o, err
	}
	s.at("cancelled")
	if err := s.UndoCancelled(ctx, OrderEvent{OrderID: o.ID, UserID: o.UserID, ProductIDs: o.ProductIDs()}); err != nil {
		s.warn(ctx, "restock left to the worker", o.ID, err)
	}
	return o, nil
}

// Recover settles one expired checkout: the payment's outcome is made definite, and the order confirmed when the money
// moved, failed otherwise. The charge was only asked for with everything reserved, and reservations are released only
// after the checkout failed, so a captured charge can always be confirmed.
func (s *Checkouts) Recover(ctx context.Context, c Checkout) error {
	if c.State != CheckoutOpen {
		return nil
	}
	ch, err := s.Pay.Settle(ctx, c.OrderID)
	if err != nil {
		return err
	}
	s.at("settled")
	switch {
	case ch.Status == ChargeCaptured:
		_, err = s.confirm(ctx, c, ch)
	case ch.Status == ChargeDeclined || c.PaymentUnknown:
		_, err = s.fail(ctx, c, CodePaymentDeclined, nil)
	default:
		_, err = s.fail(ctx, c, CodeUnavailable, nil)
	}
	return err
}
