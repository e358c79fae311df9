package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// openWork opens a checkout of what is in a cart.
type openWork struct {
	c       *shop.Checkout // what is known before the cart is read
	key     shop.CheckoutKey
	payment string
}

// plainPayment is the JSON of the payment method that nearly everybody chooses.
const plainPayment = `{"method":""}`

// OpenCart implements shop.CartOpener.
func (b *Batched) OpenCart(ctx context.Context, draft shop.Checkout, key shop.CheckoutKey) (shop.Checkout, bool, error) {
	w := &openWork{c: &draft, key: key, payment: plainPayment}
	if draft.Payment != (shop.PaymentMethod{}) {
		raw, err := json.Marshal(draft.Payment)
		if err != nil {
			return shop.Checkout{}, false, err
		}
		w.payment = string(raw)
	}
	if w.key.Hash == nil {
		w.key.Hash = []byte{}
	}
	a, err := b.onKey(ctx, draft.UserID, work{about: "user " + draft.UserID, open: w})
	if err != nil || a.opened == nil {
		return shop.Checkout{}, false, err
	}
	draft.CartVersion, draft.Total, draft.Currency = a.opened.Version, a.opened.Total, a.opened.Currency
	if err := json.Unmarshal([]byte(a.opened.Lines), &draft.Lines); err != nil {
		return shop.Checkout{}, false, fmt.Errorf("lines of checkout %s: %w", draft.OrderID, err)
	}
	draft.State, draft.CreatedAt = shop.CheckoutOpen, draft.CreatedAt.UTC().Truncate(time.Microsecond)
	return draft, true, nil
}

func (p *plan) opens(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, func(i, j int) int { return strings.Compare(p.steps[i].open.c.UserID, p.steps[j].open.c.UserID) })
	var all sharddb.OpenCartsParams
	for _, i := range at {
		w := p.steps[i].open
		all.OrderIds, all.UserIds = append(all.OrderIds, w.c.OrderID), append(all.UserIds, w.c.UserID)
		all.Payments, all.Addresses = append(all.Payments, w.payment), append(all.Addresses, string(w.c.ShippingAddress))
		all.ExpiresAt, all.CreatedAt = append(all.ExpiresAt, timestamp(w.c.ExpiresAt)), append(all.CreatedAt, timestamp(w.c.CreatedAt))
		all.Keys, all.Hashes = append(all.Keys, w.key.Key), append(all.Hashes, w.key.Hash)
	}
	_, _ = p.OpenCarts(ctx, all)
	found := collect[sharddb.OpenCartsRow](p.pipe)
	p.then = append(p.then, func() {
		byID := make(map[string]*sharddb.OpenCartsRow, len(found.all))
		for i := range found.all {
			byID[found.all[i].OrderID] = &found.all[i]
		}
		for _, i := range at {
			p.out[i].Value.opened = byID[p.steps[i].open.c.OrderID]
		}
	})
}
