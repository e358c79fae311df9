package app

import (
	"context"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/shop"
)

// openEvents makes what an API process hands events to: those of clients, which are answered when they are safe, and its own, which
// nobody waits for.
func (s *stack) openEvents() {
	if !s.cfg.Analytics.Enabled {
		return
	}
	s.events = analytics.NewCollector(s.js, analytics.CollectorOptions{Registerer: s.reg, Log: s.log})
	s.tracked = analytics.NewCollector(s.js, analytics.CollectorOptions{Delay: config.TrackDelay, Patience: config.TrackPatience, Registerer: s.reg, Log: s.log})
	s.stores = trackedCarts{s.stores, s.tracked}
	s.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), config.CollectorEnd)
		defer cancel()
		s.events.Close(ctx)
		s.tracked.Close(ctx)
	})
}

// trackedCarts reports what is put into carts and taken out.
type trackedCarts struct {
	stores
	to *analytics.Collector
}

// AddLine implements shop.CartStore.
func (t trackedCarts) AddLine(ctx context.Context, userID, op string, l shop.Line, currency string) (shop.Cart, error) {
	cart, err := t.stores.AddLine(ctx, userID, op, l, currency)
	if err == nil {
		t.to.Track(cartEvent(analytics.KindAdd, userID, op, l.ProductID, l.Quantity, l.UnitPrice*l.Quantity, currency))
	}
	return cart, err
}

// SetQuantity implements shop.CartStore.
func (t trackedCarts) SetQuantity(ctx context.Context, userID, op string, productID, quantity int64) (shop.Cart, error) {
	cart, err := t.stores.SetQuantity(ctx, userID, op, productID, quantity)
	if err == nil && quantity == 0 {
		t.to.Track(cartEvent(analytics.KindRemove, userID, op, productID, 0, 0, ""))
	}
	return cart, err
}

// cartEvent has an id made of the edit's, if that has one: an edit that is repeated is reported once.
func cartEvent(kind analytics.Kind, userID, op string, product, quantity, amount int64, currency string) analytics.Event {
	e := analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: kind, Shopper: analytics.HashShopper(userID), Product: product,
		Quantity: int32(min(quantity, analytics.MaxQuantity)), Amount: min(amount, analytics.MaxAmount), Currency: currency, Source: "api"}
	if op != "" {
		e.ID = analytics.DerivedID(kind.String() + " " + userID + " " + op)
	}
	return e
}

// observeCheckouts reports checkouts that are begun, in front of next.
func (s *stack) observeCheckouts(next http.Handler) http.Handler {
	if s.tracked == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && (r.URL.Path == "/orders/checkout" || r.URL.Path == "/bag/checkout") {
			s.tracked.Track(analytics.Event{ID: analytics.NewID(), Time: time.Now(), Kind: analytics.KindCheckout, Source: "api",
				Shopper: analytics.HashShopper(account.Claimed(r.Header.Get("Cookie")))})
		}
		next.ServeHTTP(w, r)
	})
}
