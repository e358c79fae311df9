package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// giveWork moves an order's reservations on one shard to a state.
type giveWork struct {
	orderID     string
	ids         []int64 // in order, none twice
	state       string
	traceparent string
}

// Commit implements shop.StockStore, as Shards does.
func (b *Batched) Commit(ctx context.Context, orderID string, productIDs []int64) error {
	return b.each(ctx, productIDs, func(node string, ids []int64) error {
		a, err := b.onNode(ctx, node, work{about: "order " + orderID, commit: &giveWork{orderID: orderID, ids: ids}})
		if err == nil && a.sold != len(ids) { // it has to be looked at more closely
			return b.Shards.Commit(ctx, orderID, ids)
		}
		return err
	})
}

// Release implements shop.StockStore.
func (b *Batched) Release(ctx context.Context, orderID string, productIDs []int64) error {
	return b.giveBack(ctx, orderID, "released", productIDs)
}

// Return implements shop.StockStore, as Shards does.
func (b *Batched) Return(ctx context.Context, orderID string, productIDs []int64) error {
	return b.giveBack(ctx, orderID, "returned", productIDs)
}

func (b *Batched) giveBack(ctx context.Context, orderID, state string, productIDs []int64) error {
	trace := traceparent(ctx)
	return b.each(ctx, productIDs, func(node string, ids []int64) error {
		_, err := b.onNode(ctx, node, work{about: "order " + orderID,
			give: &giveWork{orderID: orderID, ids: ids, state: state, traceparent: trace}})
		return err
	})
}

// each runs fn once for each shard that owns some of the products, at the same time, with those products in order.
func (b *Batched) each(ctx context.Context, productIDs []int64, fn func(node string, ids []int64) error) error {
	if len(productIDs) == 1 { // most orders; nothing to spread
		return b.following(ctx, shop.ProductKey(productIDs[0]), func(_ context.Context, n shard.Node) error { return fn(n.ID, productIDs) })
	}
	return eachOwner(ctx, b.Shards, productIDs, shop.ProductKey, func(ctx context.Context, n shard.Node, ids []int64) error {
		slices.Sort(ids)
		return fn(n.ID, slices.Compact(ids))
	})
}

// stock adds what reserves, unless that is rationed, gives back and commits units.
func (p *plan) stock(ctx context.Context, k kinds, rationed bool) {
	if len(k.give) > 0 { // reservations alone lock for themselves
		var locks []int64
		for _, i := range k.give {
			locks = append(locks, p.steps[i].give.ids...)
		}
		for _, i := range k.reserve {
			if !rationed {
				locks = append(locks, p.steps[i].reserve.ids...)
			}
		}
		slices.Sort(locks)
		_ = p.LockStock(ctx, slices.Compact(locks))
	}
	if !rationed && len(k.reserve) > 0 {
		p.reserves(ctx, k.reserve)
	}
	p.gives(ctx, k.give)
	p.commits(ctx, k.commit)
}

// lineOf is a reservation's key with the place of its step.
type lineOf struct {
	order   string
	product int64
	step    int
}

// linesOf lists the lines of steps in the order of (order, product), as their index has them.
func (p *plan) linesOf(at []int, of func(work) *giveWork) (lines []lineOf) {
	for _, i := range at {
		w := of(p.steps[i])
		for _, id := range w.ids {
			lines = append(lines, lineOf{w.orderID, id, i})
		}
	}
	slices.SortFunc(lines, func(a, b lineOf) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.product, b.product))
	})
	return lines
}

func (p *plan) gives(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	all := sharddb.GiveBackManyParams{Traceparent: p.steps[at[0]].give.traceparent}
	for _, l := range p.linesOf(at, func(w work) *giveWork { return w.give }) {
		all.OrderIds, all.ProductIds = append(all.OrderIds, l.order), append(all.ProductIds, l.product)
		all.States = append(all.States, p.steps[l.step].give.state)
	}
	_ = p.GiveBackMany(ctx, all)
}

func (p *plan) commits(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	var all sharddb.CommitManyParams
	byOrder := make(map[string]int, len(at))
	for _, l := range p.linesOf(at, func(w work) *giveWork { return w.commit }) {
		all.OrderIds, all.ProductIds = append(all.OrderIds, l.order), append(all.ProductIds, l.product)
		byOrder[l.order] = l.step
	}
	_, _ = p.CommitMany(ctx, all)
	found := collect[sharddb.CommitManyRow](p.pipe)
	p.then = append(p.then, func() {
		for _, r := range found.all {
			if r.State == "committed" || r.State == "returned" {
				p.out[byOrder[r.OrderID]].Value.sold++
			}
		}
	})
}
