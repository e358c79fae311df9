package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// ledger is everything that the shards have written down, read by SQL of its own: it shares no code with the audit.
type ledger struct {
	stock     []stockRow
	claims    []claimRow
	checkouts []checkoutRow
	orders    []orderRow
	charges   []chargeRow
	paid      map[string]int64            // by order
	outbox    map[string]map[string]int64 // by topic, then order
}

type stockRow struct{ Product, Available, Received int64 }
type claimRow struct {
	Order    string
	Product  int64
	State    string
	Quantity int64
}
type checkoutRow struct {
	Order, User string
	Version     int64
	State       string
	Total       int64
	Lines       []shop.Line
}
type orderRow struct {
	ID, User string
	Version  int64
	Status   string
	Total    int64
	Lines    []shop.Line
}
type chargeRow struct {
	Order, Status string
	Amount        int64
}

// readLedger reads all shards. Nobody writes meanwhile.
func (w *world) readLedger(ctx context.Context) (*ledger, error) {
	l := &ledger{paid: map[string]int64{}, outbox: map[string]map[string]int64{}}
	for _, n := range w.cluster.Nodes() {
		if err := l.read(ctx, n); err != nil {
			return nil, fmt.Errorf("%s: %w", n.ID, err)
		}
	}
	return l, nil
}

func (l *ledger) read(ctx context.Context, n shard.Node) error {
	var b pgx.Batch
	rows(&b, &l.stock, `SELECT product_id, available, received FROM stock`)
	rows(&b, &l.claims, `SELECT order_id, product_id, state, quantity FROM reservations`)
	rows(&b, &l.checkouts, `SELECT order_id, user_id, cart_version, state, total, lines FROM checkouts`)
	rows(&b, &l.orders, `SELECT o.id, o.user_id, o.cart_version, o.status, o.total, o.lines FROM orders o`)
	rows(&b, &l.charges, `SELECT key, status, amount FROM test_charges`)
	var paid, events []struct {
		Order, Topic string
		N            int64
	}
	rows(&b, &paid, `SELECT order_id, '', count(*) FROM payments GROUP BY 1`)
	rows(&b, &events, `SELECT key, topic, count(*) FROM outbox GROUP BY 1, 2`)
	if err := n.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	for _, p := range paid {
		l.paid[p.Order] += p.N
	}
	for _, e := range events {
		if l.outbox[e.Topic] == nil {
			l.outbox[e.Topic] = map[string]int64{}
		}
		l.outbox[e.Topic][e.Order] += e.N
	}
	return nil
}

// rows adds a query whose rows are appended to a list.
func rows[T any](b *pgx.Batch, to *[]T, sql string) {
	b.Queue(sql).Query(func(r pgx.Rows) error {
		some, err := pgx.CollectRows(r, pgx.RowToStructByPos[T])
		*to = append(*to, some...)
		return err
	})
}

// broken lists what must never be, at any moment. delivered are the events that were taken out of the outbox.
func (l *ledger) broken(delivered map[string]map[string]int64) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	events := func(topic, order string) int64 { return l.outbox[topic][order] + delivered[topic][order] }
	checkouts, orders, charges := map[string]checkoutRow{}, map[string]orderRow{}, map[string]chargeRow{}
	bought, open := map[string]string{}, map[string]string{}
	for _, c := range l.checkouts {
		checkouts[c.Order] = c
		if c.State == "open" && open[c.User] != "" {
			say("%s has two open checkouts", c.User)
		} else if c.State == "open" {
			open[c.User] = c.Order
		}
		if n := events(shop.TopicCheckoutFailed, c.Order); (n != 0) != (c.State == "failed") || n > 1 {
			say("checkout %s is %s, with %d events of failure", c.Order, c.State, n)
		}
	}
	for _, c := range l.charges {
		charges[c.Order] = c
	}
	for _, o := range l.orders {
		orders[o.ID] = o
		version := fmt.Sprint(o.User, o.Version)
		if bought[version] != "" {
			say("orders %s and %s are of one cart", o.ID, bought[version])
		}
		bought[version] = o.ID
		l.order(o, checkouts[o.ID], charges[o.ID], events, say)
	}
	for id, c := range charges {
		_, sold := orders[id]
		owed := checkouts[id].State == "open" || l.outbox[shop.TopicCheckoutFailed][id] > 0
		if c.Status == "captured" && !sold && !owed {
			say("%d of %s are captured, without an order and without anybody to give them back", c.Amount, id)
		}
	}
	l.units(checkouts, orders, say)
	return list
}

// order checks that an order has everything that belongs to it, once.
func (l *ledger) order(o orderRow, c checkoutRow, ch chargeRow, events func(topic, order string) int64, say func(string, ...any)) {
	var total int64
	for _, line := range o.Lines {
		total += line.Quantity * line.UnitPrice
	}
	if c.State != "confirmed" || c.Total != o.Total || total != o.Total || l.paid[o.ID] != 1 || ch.Amount != o.Total {
		say("order %s of %d: checkout %s of %d, lines of %d, %d payments, charge of %d", o.ID, o.Total, c.State, c.Total, total, l.paid[o.ID], ch.Amount)
	}
	cancelled := o.Status == "cancelled"
	if ch.Status != "captured" && !(cancelled && ch.Status == "refunded") {
		say("order %s is %s, its charge %s", o.ID, o.Status, ch.Status)
	}
	if ch.Status == "captured" && cancelled && l.outbox[shop.TopicOrderCancelled][o.ID] == 0 {
		say("order %s is cancelled, and nobody is to give the money back", o.ID)
	}
	if n := events(shop.TopicOrderConfirmed, o.ID); n != 1 {
		say("order %s has %d events of its confirmation", o.ID, n)
	}
	if n := events(shop.TopicOrderCancelled, o.ID); (n != 0) != cancelled || n > 1 {
		say("order %s is %s, with %d events of cancellation", o.ID, o.Status, n)
	}
}

// units checks that stock adds up, and that whatever is taken has an owner or somebody who gives it back.
func (l *ledger) units(checkouts map[string]checkoutRow, orders map[string]orderRow, say func(string, ...any)) {
	taken := map[int64]int64{}
	for _, c := range l.claims {
		if c.State != "held" && c.State != "committed" {
			continue
		}
		taken[c.Product] += c.Quantity
		o, sold := orders[c.Order]
		owned := sold && o.Status == "confirmed" || checkouts[c.Order].State == "open"
		owed := l.outbox[shop.TopicCheckoutFailed][c.Order]+l.outbox[shop.TopicOrderCancelled][c.Order] > 0
		if !owned && !owed {
			say("%d of product %d are %s for %s, which is neither bought nor under way", c.Quantity, c.Product, c.State, c.Order)
		}
	}
	for _, s := range l.stock {
		if s.Available < 0 || s.Received != s.Available+taken[s.Product] {
			say("product %d: received %d, available %d, taken %d", s.Product, s.Received, s.Available, taken[s.Product])
		}
	}
}

// clear forgets everything, so that the next sequence begins with nothing.
func (w *world) clear(ctx context.Context) error {
	for _, n := range w.cluster.Nodes() {
		var b pgx.Batch
		for _, table := range []string{"stock", "reservations", "checkouts", "payments", "orders", "test_charges", "outbox",
			"cart_items", "carts", "idempotency_keys"} {
			b.Queue("DELETE FROM " + table)
		}
		if err := n.Pool.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
	}
	return nil
}

// event is a row taken out of the outbox.
type event struct {
	Topic   string
	Payload shop.OrderEvent
}

// take empties the outbox, as a relay does, and counts what it took.
func (w *world) take(ctx context.Context, delivered map[string]map[string]int64) (all []event, err error) {
	for _, n := range w.cluster.Nodes() {
		found, err := n.Pool.Query(ctx, `DELETE FROM outbox RETURNING topic, key, payload`)
		if err != nil {
			return nil, err
		}
		taken, err := pgx.CollectRows(found, pgx.RowToStructByPos[struct {
			Topic, Key string
			Payload    json.RawMessage
		}])
		if err != nil {
			return nil, err
		}
		for _, row := range taken {
			e := event{Topic: row.Topic}
			if err := json.Unmarshal(row.Payload, &e.Payload); err != nil {
				return nil, err
			}
			if delivered[row.Topic] == nil {
				delivered[row.Topic] = map[string]int64{}
			}
			delivered[row.Topic][row.Key]++
			all = append(all, e)
		}
	}
	return all, nil
}

// consume does what the worker does with an event.
func (w *world) consume(ctx context.Context, s *shop.Checkouts, e event) error {
	switch e.Topic {
	case shop.TopicOrderConfirmed:
		return w.Commit(ctx, e.Payload.OrderID, e.Payload.ProductIDs)
	case shop.TopicOrderCancelled:
		return s.UndoCancelled(ctx, e.Payload)
	case shop.TopicCheckoutFailed:
		return s.Undo(ctx, e.Payload)
	}
	return nil
}

// available is what the ledger has of each product.
func (l *ledger) available() map[int64]int64 {
	left := map[int64]int64{}
	for _, s := range l.stock {
		left[s.Product] = s.Available
	}
	return left
}

// sold are the units of orders that stand.
func (l *ledger) sold() map[int64]int64 {
	units := map[int64]int64{}
	for _, o := range l.orders {
		if o.Status == "confirmed" {
			for _, line := range o.Lines {
				units[line.ProductID] += line.Quantity
			}
		}
	}
	return units
}

func (l *ledger) orderIDs() []string {
	ids := map[string]bool{}
	for _, o := range l.orders {
		ids[o.ID] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
