package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// report tells the event store what became of orders, checkouts and carts. Its events' ids are made of what they are about, so that
// each is stored once however often the message comes; orders in the store therefore reconcile with the shards.
func (j *Jobs) report(ctx context.Context, m queue.Message) error {
	var events []analytics.Event
	var err error
	switch m.Topic {
	case shop.TopicOrderConfirmed, shop.TopicOrderCancelled:
		events, err = j.orderEvents(ctx, m)
	case shop.TopicCheckoutFailed:
		var e shop.OrderEvent
		e, err = decode[shop.OrderEvent](m)
		events = []analytics.Event{derived(analytics.KindFail, e.OrderID, e.UserID, m.CreatedAt)}
		events[0].Order = orderID(e.OrderID)
	case shop.TopicCartAbandoned:
		var e shop.CartAbandoned
		e, err = decode[shop.CartAbandoned](m)
		events = []analytics.Event{derived(analytics.KindAbandon, fmt.Sprintf("%s %d", e.UserID, e.CartVersion), e.UserID, m.CreatedAt)}
	}
	if err != nil {
		return err
	}
	return j.d.Events.Add(ctx, events)
}

// derived makes an event whose id is the same for the same thing.
func derived(kind analytics.Kind, what, userID string, at time.Time) analytics.Event {
	return analytics.Event{ID: analytics.DerivedID(kind.String() + " " + what), Time: at, Kind: kind, Shopper: analytics.HashShopper(userID), Source: "outbox"}
}

func orderID(text string) analytics.ID {
	id, err := analytics.ParseID(text)
	if err != nil {
		return analytics.ID{} // ids of orders are UUIDs; another one is told by the event's own id
	}
	return id
}

// orderEvents are one for the order and, when it was confirmed, one for each of its lines. Their times are the order's own, the same
// whenever the message comes again.
func (j *Jobs) orderEvents(ctx context.Context, m queue.Message) ([]analytics.Event, error) {
	told, err := decode[shop.OrderEvent](m)
	if err != nil {
		return nil, err
	}
	o, err := j.d.Orders.Order(ctx, told.UserID, told.OrderID)
	if err != nil {
		return nil, settled(err)
	}
	kind, at := analytics.KindOrder, o.CreatedAt
	if m.Topic == shop.TopicOrderCancelled {
		kind, at = analytics.KindCancel, o.UpdatedAt
	}
	whole := derived(kind, o.ID, told.UserID, at)
	whole.Order, whole.Amount, whole.Currency = orderID(o.ID), o.Total, o.Currency
	for _, l := range o.Items {
		whole.Quantity += int32(l.Quantity)
	}
	events := []analytics.Event{whole}
	if kind == analytics.KindCancel {
		return events, nil
	}
	for i, l := range o.Items {
		line := derived(analytics.KindPurchase, fmt.Sprintf("%s %d", o.ID, i), told.UserID, at)
		line.Order, line.Product, line.Quantity, line.Amount, line.Currency = whole.Order, l.ProductID, int32(l.Quantity), l.LineTotal, o.Currency
		events = append(events, line)
	}
	return events, nil
}
