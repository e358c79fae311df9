package postgres

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// reserveWork is an order's lines on one shard.
type reserveWork struct {
	r           *shop.Reservation
	ids         []int64 // in order
	lines       map[int64]shop.Line
	traceparent string
}

// Reserve implements shop.StockStore. Each shard holds all of its lines or none. Of the orders that share a
// transaction, those that came first are served first.
func (b *Batched) Reserve(ctx context.Context, r shop.Reservation) error {
	lines, ids, err := linesByID(r)
	if err != nil {
		return err
	}
	trace := traceparent(ctx)
	var mu sync.Mutex
	var short []shop.LineError
	var gone bool
	err = b.each(ctx, ids, func(node string, ids []int64) error {
		a, err := b.onNode(ctx, node, work{about: "order " + r.OrderID,
			reserve: &reserveWork{r: &r, ids: ids, lines: lines, traceparent: trace}})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		missing, released := judge(a.lines, lines)
		short, gone = append(short, missing...), gone || released
		return nil
	})
	return reserveOutcome(r.OrderID, short, gone, err)
}

// reserves adds the statement that holds all lines of the batch, or fails as refused.
func (p *plan) reserves(ctx context.Context, at []int) {
	var all sharddb.ReserveAllParams
	for _, l := range p.reserveLines(at) {
		w := p.steps[l.step].reserve
		all.OrderIds, all.ProductIds = append(all.OrderIds, l.order), append(all.ProductIds, l.product)
		all.UserIds, all.Quantities = append(all.UserIds, w.r.UserID), append(all.Quantities, w.lines[l.product].Quantity)
		all.ExpiresAt = append(all.ExpiresAt, timestamp(w.r.ExpiresAt))
	}
	all.Products, all.Units = totals(all.ProductIds, all.Quantities)
	_ = p.ReserveAll(ctx, all)
	p.then = append(p.then, func() {
		for _, i := range at {
			p.out[i].Value.lines = granted(p.steps[i].reserve)
		}
	})
}

// totals adds up the units of each product, in the order of their ids.
func totals(products, quantities []int64) (ids, units []int64) {
	ids = slices.Clone(products)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	units = make([]int64, len(ids))
	for i, id := range products {
		at, _ := slices.BinarySearch(ids, id)
		units[at] += quantities[i]
	}
	return ids, units
}

func (p *plan) reserveLines(at []int) []lineOf {
	return p.linesOf(at, func(w work) *giveWork { return &giveWork{orderID: w.reserve.r.OrderID, ids: w.reserve.ids} })
}

// granted are the rows of an order that got all it asked for.
func granted(w *reserveWork) []sharddb.ReserveRow {
	rows := make([]sharddb.ReserveRow, len(w.ids))
	for i, id := range w.ids {
		rows[i] = sharddb.ReserveRow{ProductID: id, Quantity: w.lines[id].Quantity, Held: true}
	}
	return rows
}

// reserveOneByOne locks the products, reads what there is, serves the orders as they came and writes that down.
func (b *Batched) reserveOneByOne(ctx context.Context, n shard.Node, p *plan, at []int) error {
	lines := p.reserveLines(at)
	orders, products := make([]string, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		orders[i], products[i] = l.order, l.product
	}
	slices.Sort(products)
	products = slices.Compact(products)
	orders = slices.Compact(orders)
	err := pgx.BeginFunc(ctx, n.Pool, func(tx pgx.Tx) error {
		read := newPipe()
		_ = read.LockStock(ctx, products)
		_, _ = read.Available(ctx, products)
		left := collect[sharddb.AvailableRow](read)
		_, _ = read.HeldBefore(ctx, sharddb.HeldBeforeParams{OrderIds: orders, ProductIds: products})
		before := collect[sharddb.HeldBeforeRow](read)
		if err := tx.SendBatch(ctx, &read.batch).Close(); err != nil {
			return err
		}
		q := newRation(left.all, before.all)
		hold := sharddb.HoldParams{Traceparent: p.steps[at[0]].reserve.traceparent}
		for _, i := range at {
			p.out[i].Value.lines = q.serve(p.steps[i].reserve, &hold)
		}
		b.scarce.note(n.ID, q)
		if len(hold.OrderIds) == 0 {
			return nil
		}
		return sharddb.New(tx).Hold(ctx, hold)
	})
	if err == nil {
		b.passed("ration")
	}
	return err
}
