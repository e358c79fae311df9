package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/batch"
	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// cartEdit is one edit of one cart; exactly one of its parts is set.
type cartEdit struct {
	userID string
	add    *sharddb.AddLineParams
	set    *sharddb.SetQuantityParams
	clear  *sharddb.ClearCartParams
}

// AddLine implements shop.CartStore.
func (b *Batched) AddLine(ctx context.Context, userID, op string, l shop.Line, currency string) (shop.Cart, error) {
	if l.Quantity < 1 || l.Quantity > shop.MaxLineQuantity {
		return shop.Cart{}, shop.Invalid("quantity", "must be 1 to %d", shop.MaxLineQuantity)
	}
	return b.editCart(ctx, op, cartEdit{userID: userID, add: &sharddb.AddLineParams{UserID: userID, Op: op, ProductID: l.ProductID,
		Sku: l.SKU, Name: l.Name, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Currency: currency}})
}

// SetQuantity implements shop.CartStore.
func (b *Batched) SetQuantity(ctx context.Context, userID, op string, productID, quantity int64) (shop.Cart, error) {
	if quantity < 0 || quantity > shop.MaxLineQuantity {
		return shop.Cart{}, shop.Invalid("quantity", "must be 0 to %d", shop.MaxLineQuantity)
	}
	cart, err := b.editCart(ctx, op, cartEdit{userID: userID, set: &sharddb.SetQuantityParams{UserID: userID, Op: op,
		ProductID: productID, Quantity: quantity}})
	if shop.CodeOf(err) == shop.CodeNotFound {
		return cart, shop.Errorf(shop.CodeNotFound, "the cart has no product %d: add it with POST /cart/add", productID)
	}
	return cart, err
}

// Clear implements shop.CartStore.
func (b *Batched) Clear(ctx context.Context, userID, op string) (shop.Cart, error) {
	return b.editCart(ctx, op, cartEdit{userID: userID, clear: &sharddb.ClearCartParams{UserID: userID, Op: op}})
}

// editCart has an edit made. One whose answer was lost is made again if its op keeps that from counting twice.
func (b *Batched) editCart(ctx context.Context, op string, e cartEdit) (cart shop.Cart, err error) {
	err = b.following(ctx, e.userID, func(ctx context.Context, n shard.Node) (err error) {
		for attempt := range maxAttempts {
			cart, err = submit(ctx, b.Shards, b.edits, n.ID, n.ID, e)
			if err == nil || op == "" || !lostTrack(err) || !pause(ctx, time.Duration(1<<attempt)*5*time.Millisecond) {
				break
			}
		}
		return err
	})
	return cart, err
}

// runEdits makes the edits of a batch in one transaction, whose commit does not wait for the disk.
func (b *Batched) runEdits(ctx context.Context, node string, edits []cartEdit) ([]batch.Result[shop.Cart], error) {
	n, err := b.nodeOf(node)
	if err != nil {
		return nil, err
	}
	users := make([]string, len(edits))
	for i, e := range edits {
		users[i] = e.userID
	}
	slices.Sort(users)
	p := newPipe()
	_ = p.RelaxCommit(ctx)
	_ = p.EnsureCarts(ctx, users)
	_ = p.LockCarts(ctx, users)
	verdict := queueEdits(ctx, p, edits)
	_, _ = p.ReadCarts(ctx, users)
	read := collect[sharddb.ReadCartsRow](p)
	if err := p.send(ctx, n.Pool); err != nil {
		return nil, err
	}
	b.passed("cart")
	carts := make(map[string]sharddb.ReadCartsRow, len(read.all))
	for _, r := range read.all {
		carts[r.UserID] = r
	}
	out := make([]batch.Result[shop.Cart], len(edits))
	for i, e := range edits {
		r, ok := carts[e.userID]
		if !ok {
			out[i].Err = fmt.Errorf("postgres: no cart of %s after an edit", e.userID)
			continue
		}
		cart, err := toCart(e.userID, cartRow(r))
		if err == nil {
			err = refusal(verdict(i), cart)
		}
		out[i] = batch.Result[shop.Cart]{Value: cart, Err: err}
	}
	return out, nil
}

// queueEdits adds the edits: all adds in one statement, the others one by one. The function it returns has the verdict
// on each, afterwards.
func queueEdits(ctx context.Context, p *pipe, edits []cartEdit) func(i int) *rows[string] {
	verdicts := make([]*rows[string], len(edits))
	all := sharddb.AddLinesParams{MaxQuantity: shop.MaxLineQuantity, MaxLines: shop.MaxCartLines}
	for i, e := range edits {
		switch {
		case e.set != nil:
			_, _ = p.SetQuantity(ctx, *e.set)
			verdicts[i] = collectValues[string](p)
		case e.clear != nil:
			_, _ = p.ClearCart(ctx, *e.clear)
			verdicts[i] = collectValues[string](p)
		}
	}
	for _, e := range slices.SortedFunc(slices.Values(edits), func(a, b cartEdit) int { return strings.Compare(a.userID, b.userID) }) {
		if l := e.add; l != nil {
			all.UserIds, all.Ops, all.ProductIds = append(all.UserIds, l.UserID), append(all.Ops, l.Op), append(all.ProductIds, l.ProductID)
			all.Skus, all.Names = append(all.Skus, l.Sku), append(all.Names, l.Name)
			all.Quantities, all.UnitPrices = append(all.Quantities, l.Quantity), append(all.UnitPrices, l.UnitPrice)
			all.Currencies = append(all.Currencies, l.Currency)
		}
	}
	added := &rows[sharddb.AddLinesRow]{}
	if len(all.UserIds) > 0 {
		_, _ = p.AddLines(ctx, all)
		added = collect[sharddb.AddLinesRow](p)
	}
	return func(i int) *rows[string] {
		if verdicts[i] != nil {
			return verdicts[i]
		}
		found := &rows[string]{}
		for _, r := range added.all {
			if r.UserID == edits[i].userID {
				found.all = append(found.all, r.Status)
			}
		}
		return found
	}
}
