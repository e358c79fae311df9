package postgres

import (
	"bytes"
	"context"
	"slices"

	"github.com/stampede-shop/stampede/batch"
	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// look is a read that a checkout begins with; key is set for an idempotency key, else it is a cart.
type look struct {
	userID string
	key    string
}

// found is what a look came to.
type found struct {
	key  *sharddb.FindKeysRow // nil: the key is free
	cart *sharddb.ReadCartsRow
}

// Cart implements shop.CartStore.
func (b *Batched) Cart(ctx context.Context, userID string) (shop.Cart, error) {
	f, err := b.look(ctx, look{userID: userID})
	if err != nil || f.cart == nil {
		cart := shop.Cart{ID: userID}
		cart.Sum()
		return cart, err
	}
	cart, err := toCart(userID, cartRow(*f.cart))
	return b.noted(cart), err
}

// FindCheckout implements shop.CheckoutStore.
func (b *Batched) FindCheckout(ctx context.Context, userID string, key shop.CheckoutKey) (c shop.Checkout, ok bool, err error) {
	if key.Key == "" {
		return c, false, nil
	}
	f, err := b.look(ctx, look{userID: userID, key: key.Key})
	switch {
	case err != nil || f.key == nil:
		return c, false, err
	case !bytes.Equal(f.key.Hash, key.Hash):
		return c, false, keyMismatch()
	}
	c, err = b.CheckoutByID(ctx, userID, f.key.OrderID)
	return c, err == nil, err
}

func (b *Batched) look(ctx context.Context, l look) (f found, err error) {
	err = b.following(ctx, l.userID, func(ctx context.Context, n shard.Node) (err error) {
		f, err = submit(ctx, b.Shards, b.looks, n.ID, n.ID, l)
		return err
	})
	return f, err
}

// runLooks reads for a batch: all keys in one statement, all carts in another.
func (b *Batched) runLooks(ctx context.Context, node string, looks []look) ([]batch.Result[found], error) {
	n, err := b.nodeOf(node)
	if err != nil {
		return nil, err
	}
	var keys sharddb.FindKeysParams
	var users []string
	for _, l := range looks {
		if l.key == "" {
			users = append(users, l.userID)
		} else {
			keys.UserIds, keys.Keys = append(keys.UserIds, l.userID), append(keys.Keys, l.key)
		}
	}
	p := newPipe()
	bound, carts := &rows[sharddb.FindKeysRow]{}, &rows[sharddb.ReadCartsRow]{}
	if len(keys.Keys) > 0 {
		_, _ = p.FindKeys(ctx, keys)
		bound = collect[sharddb.FindKeysRow](p)
	}
	if len(users) > 0 {
		slices.Sort(users)
		_, _ = p.ReadCarts(ctx, slices.Compact(users))
		carts = collect[sharddb.ReadCartsRow](p)
	}
	if err := p.send(ctx, n.Pool); err != nil {
		return nil, err
	}
	by := make(map[look]found, len(looks))
	for i := range bound.all {
		by[look{bound.all[i].UserID, bound.all[i].Key}] = found{key: &bound.all[i]}
	}
	for i := range carts.all {
		by[look{userID: carts.all[i].UserID}] = found{cart: &carts.all[i]}
	}
	out := make([]batch.Result[found], len(looks))
	for i, l := range looks {
		out[i].Value = by[l]
	}
	return out, nil
}

func cartRow(r sharddb.ReadCartsRow) sharddb.ReadCartRow {
	return sharddb.ReadCartRow{Version: r.Version, Currency: r.Currency, UpdatedAt: r.UpdatedAt, LastOrderID: r.LastOrderID,
		LastOrderAt: r.LastOrderAt, Items: r.Items}
}
