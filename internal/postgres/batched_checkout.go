package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// confirmWork makes an order of an open checkout.
type confirmWork struct {
	orderID, userID, provider, ref, event, traceparent string
	amount                                             int64
}

// ConfirmOpen implements shop.CartOpener.
func (b *Batched) ConfirmOpen(ctx context.Context, c shop.Checkout, ch shop.Charge, provider string) (shop.Checkout, error) {
	event, err := json.Marshal(shop.OrderEvent{OrderID: c.OrderID, UserID: c.UserID, ProductIDs: c.ProductIDs()})
	if err != nil {
		return shop.Checkout{}, err
	}
	a, err := b.onKey(ctx, c.UserID, work{about: "user " + c.UserID, confirm: &confirmWork{orderID: c.OrderID, userID: c.UserID,
		provider: provider, ref: ch.Ref, amount: ch.Amount, event: string(event), traceparent: traceparent(ctx)}})
	switch {
	case err != nil:
		return shop.Checkout{}, err
	case !a.finished.Valid: // not open, or of a cart that was edited meanwhile
		return b.ConfirmCheckout(ctx, c.UserID, c.OrderID, ch, provider)
	}
	c.State, c.FinishedAt = shop.CheckoutConfirmed, timeOf(a.finished)
	return c, nil
}

// FailCheckout implements shop.CheckoutStore.
func (b *Batched) FailCheckout(ctx context.Context, userID, orderID string, reason shop.Code, shortage []shop.LineError) (shop.Checkout, error) {
	var lines []byte
	if len(shortage) > 0 {
		var err error
		if lines, err = json.Marshal(shortage); err != nil {
			return shop.Checkout{}, err
		}
	}
	a, err := b.onKey(ctx, userID, work{about: "user " + userID, fail: &sharddb.FailCheckoutParams{OrderID: orderID,
		UserID: userID, Reason: string(reason), Shortage: lines, Traceparent: traceparent(ctx)}})
	if err != nil {
		return shop.Checkout{}, err
	}
	if a.checkout == nil || a.checkout.UserID != userID {
		return shop.Checkout{}, shop.NotFound("order", orderID)
	}
	return toCheckout(*a.checkout)
}

func (p *plan) confirms(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, func(i, j int) int { return strings.Compare(p.steps[i].confirm.orderID, p.steps[j].confirm.orderID) })
	var all sharddb.ConfirmOpenParams
	for _, i := range at {
		c := p.steps[i].confirm
		all.OrderIds, all.UserIds = append(all.OrderIds, c.orderID), append(all.UserIds, c.userID)
		all.Providers, all.Refs = append(all.Providers, c.provider), append(all.Refs, c.ref)
		all.Amounts, all.Traceparents = append(all.Amounts, c.amount), append(all.Traceparents, c.traceparent)
		all.Events = append(all.Events, c.event)
	}
	_, _ = p.ConfirmOpen(ctx, all)
	found := collect[sharddb.ConfirmOpenRow](p.pipe)
	p.then = append(p.then, func() {
		byID := make(map[string]pgtype.Timestamptz, len(found.all))
		for _, r := range found.all {
			byID[r.OrderID] = r.FinishedAt
		}
		for _, i := range at {
			p.out[i].Value.finished = byID[p.steps[i].confirm.orderID]
		}
	})
}

func (p *plan) fails(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, func(i, j int) int { return strings.Compare(p.steps[i].fail.OrderID, p.steps[j].fail.OrderID) })
	var all sharddb.FailCheckoutsParams
	for _, i := range at {
		c := p.steps[i].fail
		all.OrderIds, all.UserIds = append(all.OrderIds, c.OrderID), append(all.UserIds, c.UserID)
		all.Reasons, all.Shortages = append(all.Reasons, c.Reason), append(all.Shortages, string(c.Shortage))
		all.Traceparents = append(all.Traceparents, c.Traceparent)
	}
	_ = p.FailCheckouts(ctx, all)
	_, _ = p.CheckoutsByID(ctx, all.OrderIds)
	found := collect[sharddb.Checkout](p.pipe)
	p.then = append(p.then, func() {
		byID := make(map[string]*sharddb.Checkout, len(found.all))
		for i := range found.all {
			byID[found.all[i].OrderID] = &found.all[i]
		}
		for _, i := range at {
			p.out[i].Value.checkout = byID[p.steps[i].fail.OrderID]
		}
	})
}
