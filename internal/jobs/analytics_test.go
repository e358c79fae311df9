package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// toldOf remembers what the event store is told.
type toldOf struct {
	events []analytics.Event
	err    error
}

func (t *toldOf) Add(_ context.Context, events []analytics.Event) error {
	t.events = append(t.events, events...)
	return t.err
}

// oneOrder knows one order.
type oneOrder struct{ o shop.Order }

func (o oneOrder) Order(_ context.Context, userID, orderID string) (shop.Order, error) {
	if userID != o.o.UserID || orderID != o.o.ID {
		return shop.Order{}, shop.NotFound("order", orderID)
	}
	return o.o, nil
}

func message(t *testing.T, topic string, payload any) queue.Message {
	t.Helper()
	raw, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Message{Topic: topic, Data: raw, CreatedAt: time.Unix(1_790_000_000, 0)}
}

// Whenever a message comes again, it makes the same events: same ids, same times.
func TestReportsOfOneMessageAreTheSame(t *testing.T) {
	t.Parallel()
	o := shop.Order{ID: analytics.NewID().String(), UserID: "u", Total: 700, Currency: "EUR", CreatedAt: time.Unix(1_790_000_100, 0), UpdatedAt: time.Unix(1_790_000_900, 0),
		Items: []shop.Line{{ProductID: 1, Quantity: 2, LineTotal: 200}, {ProductID: 2, Quantity: 1, LineTotal: 500}}}
	told := &toldOf{}
	now := time.Unix(1_790_001_000, 0)
	j := &Jobs{d: Deps{Orders: oneOrder{o}, Events: told, Now: func() time.Time { now = now.Add(time.Hour); return now }}}
	event := shop.OrderEvent{OrderID: o.ID, UserID: "u", ProductIDs: []int64{1, 2}}
	for _, c := range []struct {
		m     queue.Message
		kinds []analytics.Kind
	}{
		{message(t, shop.TopicOrderConfirmed, event), []analytics.Kind{analytics.KindOrder, analytics.KindPurchase, analytics.KindPurchase}},
		{message(t, shop.TopicOrderCancelled, event), []analytics.Kind{analytics.KindCancel}},
		{message(t, shop.TopicCheckoutFailed, event), []analytics.Kind{analytics.KindFail}},
		{message(t, shop.TopicCartAbandoned, shop.CartAbandoned{UserID: "u", CartVersion: 3}), []analytics.Kind{analytics.KindAbandon}},
	} {
		told.events = nil
		for range 2 {
			if err := j.report(t.Context(), c.m); err != nil {
				t.Fatal(err)
			}
		}
		n := len(c.kinds)
		if len(told.events) != 2*n {
			t.Fatalf("%s: %+v", c.m.Topic, told.events)
		}
		for i, e := range told.events[:n] {
			if e != told.events[n+i] {
				t.Errorf("%s: %+v, and again %+v", c.m.Topic, e, told.events[n+i])
			}
			if err := e.Check(); err != nil || e.Kind != c.kinds[i] || e.Shopper != analytics.HashShopper("u") {
				t.Errorf("%s: %v in %+v", c.m.Topic, err, e)
			}
		}
	}
	told.events = nil
	if err := j.report(t.Context(), message(t, shop.TopicOrderConfirmed, event)); err != nil {
		t.Fatal(err)
	}
	if e := told.events[0]; e.Amount != 700 || e.Quantity != 3 || e.Order.String() != o.ID || told.events[2].Amount != 500 || told.events[2].Product != 2 {
		t.Errorf("%+v", told.events)
	}
	told.err = analytics.ErrBusy
	if err := j.report(t.Context(), message(t, shop.TopicOrderConfirmed, event)); !errors.Is(err, analytics.ErrBusy) {
		t.Errorf("nobody takes events, and the message is done: %v", err)
	}
}
