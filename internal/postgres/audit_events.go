package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// EventOrder is what the event store has of an order: how often it was told of it and of its cancellation, and the totals told.
type EventOrder struct {
	Orders, Cancels int64
	Total           int64 // of the order events together
}

// EventBooks is the event store as the audit reads it.
type EventBooks interface {
	// Since is when the store was made: it need not know older orders.
	Since() time.Time
	// Orders tells what it has of these orders; those it does not have are left out.
	Orders(ctx context.Context, ids []string) (map[string]EventOrder, error)
	// OrderIDs lists the ids of the orders it has, in order, after a cursor.
	OrderIDs(ctx context.Context, after string, limit int) ([]string, error)
}

// tell adds what the event store has to dossiers.
func (a *auditor) tell(ctx context.Context, files map[string]*dossier, ids []string) error {
	if a.o.Events == nil {
		return nil
	}
	told, err := a.o.Events.Orders(ctx, ids)
	for id, d := range files {
		d.told = told[id]
	}
	return err
}

// events checks that the event store has what happened to the order, if it happened in its time.
func (j *judgement) events(books EventBooks) {
	if books == nil || len(j.d.orders) == 0 || madeAt(j.d.id).Before(books.Since()) {
		return
	}
	j.checked[ruleEventsOrder]++
	o, cancels := j.d.orders[0].row, int64(0)
	if o.Status == string(shop.OrderCancelled) {
		cancels = 1
	}
	if t := j.d.told; t.Orders != 1 || t.Total != o.Total || t.Cancels != cancels {
		j.await(ruleEventsOrder, "is %s with a total of %d; the event store has %d orders of %d together and %d cancellations", o.Status, o.Total, t.Orders, t.Total, t.Cancels)
	}
}

// madeAt is when a UUIDv7 was made; the zero time for anything else.
func madeAt(id string) time.Time {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 || raw[6]>>4 != 7 {
		return time.Time{}
	}
	ms := int64(0)
	for _, b := range raw[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}

// eventsOwned checks that the event store has no order that is on no shard.
func (a *auditor) eventsOwned(ctx context.Context) (all []finding, err error) {
	if a.o.Events == nil {
		return nil, nil
	}
	for cursor := ""; ; {
		ids, err := a.o.Events.OrderIDs(ctx, cursor, 4*a.o.Page)
		if err != nil || len(ids) == 0 {
			return all, err
		}
		cursor = ids[len(ids)-1]
		there := map[string]bool{}
		err = a.onAll(ctx, func(ctx context.Context, n shard.Node, mu *sync.Mutex) error {
			rows, err := sharddb.New(n.Pool).AuditOrders(ctx, sharddb.AuditOrdersParams{Grace: a.grace(), Ids: ids})
			mu.Lock()
			defer mu.Unlock()
			for _, r := range rows {
				there[r.ID] = true
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("orders of the event store: %w", err)
		}
		a.checked[ruleEventsOwned] += int64(len(ids))
		for _, id := range slices.DeleteFunc(ids, func(id string) bool { return there[id] }) {
			all = append(all, finding{rule: ruleEventsOwned, subject: id, detail: "is in the event store and on no shard"})
		}
	}
}
