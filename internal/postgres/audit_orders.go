package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// on is a row and the shard it was found on.
type on[T any] struct {
	row  T
	node string
}

// dossier is everything that all shards know of one order.
type dossier struct {
	id           string
	checkouts    []on[sharddb.AuditCheckoutsRow]
	orders       []on[sharddb.AuditOrdersRow]
	payments     []on[sharddb.AuditPaymentsRow]
	reservations []on[sharddb.AuditReservationsRow]
	charges      []on[sharddb.AuditChargesRow]
	told         EventOrder // by the event store
	pending      bool       // an event about it waits in an outbox
}

// dossiers collects what belongs to the orders, with one round trip to each shard.
func (a *auditor) dossiers(ctx context.Context, ids []string) (map[string]*dossier, error) {
	files := make(map[string]*dossier, len(ids))
	for _, id := range ids {
		files[id] = &dossier{id: id}
	}
	err := a.onAll(ctx, func(ctx context.Context, n shard.Node, mu *sync.Mutex) error {
		p := newPipe()
		_, _ = p.AuditCheckouts(ctx, sharddb.AuditCheckoutsParams{Grace: a.grace(), Ids: ids})
		checkouts := collect[sharddb.AuditCheckoutsRow](p)
		_, _ = p.AuditOrders(ctx, sharddb.AuditOrdersParams{Grace: a.grace(), Ids: ids})
		orders := collect[sharddb.AuditOrdersRow](p)
		_, _ = p.AuditPayments(ctx, ids)
		payments := collect[sharddb.AuditPaymentsRow](p)
		_, _ = p.AuditReservations(ctx, sharddb.AuditReservationsParams{Grace: a.grace(), Ids: ids})
		reservations := collect[sharddb.AuditReservationsRow](p)
		_, _ = p.AuditCharges(ctx, sharddb.AuditChargesParams{Grace: a.grace(), Ids: ids})
		charges := collect[sharddb.AuditChargesRow](p)
		_, _ = p.AuditPending(ctx, ids)
		pending := collectValues[string](p)
		if err := p.send(ctx, n.Pool); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range checkouts.all {
			files[r.OrderID].checkouts = append(files[r.OrderID].checkouts, on[sharddb.AuditCheckoutsRow]{r, n.ID})
		}
		for _, r := range orders.all {
			files[r.ID].orders = append(files[r.ID].orders, on[sharddb.AuditOrdersRow]{r, n.ID})
		}
		for _, r := range payments.all {
			files[r.OrderID].payments = append(files[r.OrderID].payments, on[sharddb.AuditPaymentsRow]{r, n.ID})
		}
		for _, r := range reservations.all {
			files[r.OrderID].reservations = append(files[r.OrderID].reservations, on[sharddb.AuditReservationsRow]{r, n.ID})
		}
		for _, r := range charges.all {
			files[r.Key].charges = append(files[r.Key].charges, on[sharddb.AuditChargesRow]{r, n.ID})
		}
		for _, id := range pending.all {
			files[id].pending = true
		}
		return nil
	})
	return files, err
}

// state is what the buyer's shard says of the order: open, failed, confirmed, cancelled, or "" when it knows nothing.
func (d *dossier) state() string {
	switch {
	case len(d.orders) > 0:
		return d.orders[0].row.Status
	case len(d.checkouts) > 0:
		return d.checkouts[0].row.State
	default:
		return ""
	}
}

// unsettled tells that somebody may still be following up on the order's last change.
func (d *dossier) unsettled() bool {
	if d.pending {
		return true
	}
	for _, o := range d.orders {
		if o.row.Young {
			return true
		}
	}
	for _, c := range d.checkouts {
		if c.row.Young {
			return true
		}
	}
	return false
}

// judge applies the rules about orders to one dossier. What the worker may yet set right is counted as in flight.
func (a *auditor) judge(d *dossier) []finding {
	j := &judgement{d: d, checked: a.checked}
	j.places(a.s.c)
	j.records()
	j.events(a.o.Events)
	switch d.state() {
	case string(shop.OrderConfirmed):
		j.confirmed()
	case string(shop.OrderCancelled):
		j.givenBack(ruleCancelledUndone, "returned", string(shop.ChargeRefunded))
	case string(shop.CheckoutFailed):
		j.givenBack(ruleFailedReleased, "released", "")
	case string(shop.CheckoutOpen):
		j.checked[ruleCheckoutSettled]++
		if d.checkouts[0].row.Overdue {
			j.say(ruleCheckoutSettled, "is still open though it expired")
		}
	default:
		j.ownerless()
	}
	if len(j.later) > 0 {
		if !d.unsettled() {
			return append(j.found, j.later...)
		}
		a.flight["unsettled"]++
	}
	return j.found
}

// items are the lines of an order as the audit reads them.
func items(raw []byte) (lines []shop.Line, err error) {
	if err = json.Unmarshal(raw, &lines); err != nil {
		err = fmt.Errorf("lines: %w", err)
	}
	return lines, err
}
