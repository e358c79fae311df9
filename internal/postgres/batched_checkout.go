package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// OpenCheckout implements shop.CheckoutStore.
func (b *Batched) OpenCheckout(ctx context.Context, c shop.Checkout, key shop.CheckoutKey) (shop.Checkout, error) {
	params, err := openParams(c, key)
	if err != nil {
		return shop.Checkout{}, err
	}
	a, err := b.onKey(ctx, c.UserID, work{about: "user " + c.UserID, open: &params})
	switch {
	case err != nil:
		return shop.Checkout{}, err
	case a.opened == nil:
		return shop.Checkout{}, shop.Errorf(shop.CodeConflict, "the cart has changed: look at it and ask again")
	case a.opened.Busy:
		return shop.Checkout{}, stillOpen(a.opened.OrderID)
	case a.opened.Mismatch:
		return shop.Checkout{}, keyMismatch()
	case a.opened.OrderID != c.OrderID:
		return b.CheckoutByID(ctx, c.UserID, a.opened.OrderID)
	}
	c.State = shop.CheckoutOpen
	return c, nil
}

// ConfirmCheckout implements shop.CheckoutStore.
func (b *Batched) ConfirmCheckout(ctx context.Context, userID, orderID string, ch shop.Charge, provider string) (shop.Checkout, error) {
	return b.finished(ctx, userID, orderID, work{about: "user " + userID, confirm: &sharddb.ConfirmCheckoutParams{OrderID: orderID,
		UserID: userID, Provider: provider, Ref: ch.Ref, Amount: ch.Amount, Traceparent: traceparent(ctx)}})
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
	return b.finished(ctx, userID, orderID, work{about: "user " + userID, fail: &sharddb.FailCheckoutParams{OrderID: orderID,
		UserID: userID, Reason: string(reason), Shortage: lines, Traceparent: traceparent(ctx)}})
}

func (b *Batched) finished(ctx context.Context, userID, orderID string, w work) (shop.Checkout, error) {
	a, err := b.onKey(ctx, userID, w)
	if err != nil {
		return shop.Checkout{}, err
	}
	if a.checkout == nil || a.checkout.UserID != userID {
		return shop.Checkout{}, shop.NotFound("order", orderID)
	}
	return toCheckout(*a.checkout)
}

// checkouts adds what opens, confirms and fails checkouts.
func (p *plan) checkouts(ctx context.Context, k kinds) {
	var users, finished []string
	for _, i := range k.open {
		users = append(users, p.steps[i].open.UserID)
	}
	for _, i := range k.confirm {
		users = append(users, p.steps[i].confirm.UserID)
		finished = append(finished, p.steps[i].confirm.OrderID)
	}
	for _, i := range k.fail {
		finished = append(finished, p.steps[i].fail.OrderID)
	}
	if len(users) > 0 {
		slices.Sort(users)
		_ = p.LockCarts(ctx, users)
	}
	p.opens(ctx, k.open)
	p.confirms(ctx, k.confirm)
	p.fails(ctx, k.fail)
	if len(finished) > 0 {
		slices.Sort(finished)
		_, _ = p.CheckoutsByID(ctx, finished)
		found := collect[sharddb.Checkout](p.pipe)
		p.then = append(p.then, func() {
			byID := make(map[string]*sharddb.Checkout, len(found.all))
			for i := range found.all {
				byID[found.all[i].OrderID] = &found.all[i]
			}
			for _, i := range k.confirm {
				p.out[i].Value.checkout = byID[p.steps[i].confirm.OrderID]
			}
			for _, i := range k.fail {
				p.out[i].Value.checkout = byID[p.steps[i].fail.OrderID]
			}
		})
	}
}

func (p *plan) opens(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, func(i, j int) int { return strings.Compare(p.steps[i].open.UserID, p.steps[j].open.UserID) })
	var all sharddb.OpenCheckoutsParams
	for _, i := range at {
		c := p.steps[i].open
		all.OrderIds, all.UserIds = append(all.OrderIds, c.OrderID), append(all.UserIds, c.UserID)
		all.CartVersions, all.Lines = append(all.CartVersions, c.CartVersion), append(all.Lines, string(c.Lines))
		all.Totals, all.Currencies = append(all.Totals, c.Total), append(all.Currencies, c.Currency)
		all.Payments, all.Addresses = append(all.Payments, string(c.Payment)), append(all.Addresses, string(c.ShippingAddress))
		all.ExpiresAt, all.CreatedAt = append(all.ExpiresAt, c.ExpiresAt), append(all.CreatedAt, c.CreatedAt)
		all.Keys, all.Hashes = append(all.Keys, c.Key), append(all.Hashes, c.Hash)
	}
	_, _ = p.OpenCheckouts(ctx, all)
	found := collect[sharddb.OpenCheckoutsRow](p.pipe)
	p.then = append(p.then, func() {
		byUser := make(map[string]*sharddb.OpenCheckoutsRow, len(found.all))
		for i := range found.all {
			byUser[found.all[i].UserID] = &found.all[i]
		}
		for _, i := range at {
			p.out[i].Value.opened = byUser[p.steps[i].open.UserID]
		}
	})
}

func (p *plan) confirms(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, func(i, j int) int { return strings.Compare(p.steps[i].confirm.OrderID, p.steps[j].confirm.OrderID) })
	var all sharddb.ConfirmCheckoutsParams
	for _, i := range at {
		c := p.steps[i].confirm
		all.OrderIds, all.UserIds = append(all.OrderIds, c.OrderID), append(all.UserIds, c.UserID)
		all.Providers, all.Refs = append(all.Providers, c.Provider), append(all.Refs, c.Ref)
		all.Amounts, all.Traceparents = append(all.Amounts, c.Amount), append(all.Traceparents, c.Traceparent)
	}
	_ = p.ConfirmCheckouts(ctx, all)
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
}
