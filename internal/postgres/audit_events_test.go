package postgres_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/internal/postgres"
)

// toldBooks is an event store by order.
type toldBooks struct {
	since  time.Time
	orders map[string]postgres.EventOrder
}

func (b toldBooks) Since() time.Time { return b.since }

func (b toldBooks) Orders(_ context.Context, ids []string) (map[string]postgres.EventOrder, error) {
	out := map[string]postgres.EventOrder{}
	for _, id := range ids {
		if o, ok := b.orders[id]; ok {
			out[id] = o
		}
	}
	return out, nil
}

func (b toldBooks) OrderIDs(_ context.Context, after string, limit int) (ids []string, _ error) {
	for id := range b.orders {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), limit)], nil
}

func TestAuditReconcilesTheEventStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newSold(t, w)
	w.clean(t)
	total := int64(0)
	check(t, w.pools[must(w.cluster.Locate(b.user))].QueryRow(t.Context(), "SELECT total FROM orders WHERE id = $1", b.confirmed).Scan(&total))
	good := map[string]postgres.EventOrder{b.confirmed: {Orders: 1, Total: total}, b.cancelled: {Orders: 1, Total: total, Cancels: 1}}
	const order, owned = "events-order", "events-owned"
	for name, c := range map[string]struct {
		id     string
		o      postgres.EventOrder
		broken []string
	}{
		"agrees":                {b.confirmed, good[b.confirmed], nil},
		"missing":               {b.confirmed, postgres.EventOrder{}, []string{order}},
		"doubled":               {b.confirmed, postgres.EventOrder{Orders: 2, Total: 2 * total}, []string{order}},
		"another total":         {b.confirmed, postgres.EventOrder{Orders: 1, Total: total + 1}, []string{order}},
		"cancelled by mistake":  {b.confirmed, postgres.EventOrder{Orders: 1, Total: total, Cancels: 1}, []string{order}},
		"cancellation missing":  {b.cancelled, postgres.EventOrder{Orders: 1, Total: total}, []string{order}},
		"of an order of nobody": {newIDAt(1), postgres.EventOrder{Orders: 1, Total: 1}, []string{owned}},
	} {
		books := toldBooks{orders: map[string]postgres.EventOrder{}}
		for id, o := range good {
			books.orders[id] = o
		}
		if books.orders[c.id] = c.o; c.o.Orders == 0 {
			delete(books.orders, c.id)
		}
		o := strict
		o.Events = books
		report, err := postgres.Audit(t.Context(), nil, w.Shards, o)
		check(t, err)
		if diff := cmp.Diff(c.broken, broken(report)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	o := strict
	o.Events = toldBooks{since: time.Now().Add(time.Hour)} // a store that was made later need not know
	report, err := postgres.Audit(t.Context(), nil, w.Shards, o)
	check(t, err)
	if !report.OK {
		t.Errorf("%v", broken(report))
	}
}
