package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// strict looks once, and forgives nothing for being recent.
var strict = postgres.AuditOptions{Settle: -1, Grace: -1}

func broken(r postgres.AuditReport) (names []string) {
	for _, rule := range r.Rules {
		if rule.Broken > 0 {
			names = append(names, rule.Name)
		}
	}
	return names
}

// sold is a world with one confirmed, one cancelled and one declined order, all settled.
type sold struct {
	*world
	p                            shop.Product
	user                         string
	confirmed, cancelled, failed string
}

func newSold(t *testing.T, w *world) *sold {
	t.Helper()
	ctx, s := t.Context(), w.saga(nil)
	b := &sold{world: w, p: w.product(t, 20)}
	b.user = w.fill(t, b.p)
	order := func(outcome string) string {
		r, err := s.Run(ctx, paying(b.user, outcome))
		if outcome == "approve" {
			check(t, err)
			_, err = w.AddLine(ctx, b.user, "", shop.LineOf(b.p, 1), "USD")
			check(t, err)
			return r.Order.ID
		}
		wantCode(t, err, shop.CodePaymentDeclined)
		return err.(*shop.Error).OrderID
	}
	b.confirmed, b.cancelled, b.failed = order("approve"), order("approve"), order("decline")
	_, err := s.Cancel(ctx, b.user, b.cancelled)
	check(t, err)
	w.drain(t, s)
	return b
}

// Each rule is broken on purpose, found, and made good again.
func TestAuditFindsEveryBrokenRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newSold(t, w)
	w.clean(t)
	product, elsewhere := shop.ProductKey(b.p.ID), ""
	for i := range 100 { // a key of another shard than the product's
		if owner, _ := w.cluster.Locate(product); owner != must(w.cluster.Locate(newIDAt(i))) {
			elsewhere = newIDAt(i)
			break
		}
	}
	for _, breach := range []struct {
		rule, key, sql, undo string
		args                 []any
	}{
		{"stock-balance", product, `UPDATE stock SET available = available + 1 WHERE product_id = $1`,
			`UPDATE stock SET available = available - 1 WHERE product_id = $1`, []any{b.p.ID}},
		{"stock-balance", product, `INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at) VALUES ('x', $1, '', 1, 'held', now() + '1 day')`,
			`DELETE FROM reservations WHERE order_id = 'x' AND product_id = $1`, []any{int64(1) << 40}},
		{"stock-not-negative", product, `UPDATE stock SET available = -1, received = received - available - 1 WHERE product_id = $1`,
			`UPDATE stock SET received = received + 20, available = 19 WHERE product_id = $1`, []any{b.p.ID}},
		{"order-reserved", product, `UPDATE reservations SET state = 'held' WHERE order_id = $1`,
			`UPDATE reservations SET state = 'committed' WHERE order_id = $1`, []any{b.confirmed}},
		{"order-reserved", product, `UPDATE reservations SET order_id = 'y' || order_id, state = 'released' WHERE order_id = $1`,
			`UPDATE reservations SET order_id = $1, state = 'committed' WHERE order_id = 'y' || $1`, []any{b.confirmed}},
		{"reservation-owned", product, `INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at) SELECT 'x', $1, '', 0, 'committed', now()`,
			`DELETE FROM reservations WHERE order_id = 'x' AND product_id = $1`, []any{b.p.ID}},
		{"failed-released", product, `UPDATE reservations SET state = 'held' WHERE order_id = $1`,
			`UPDATE reservations SET state = 'released' WHERE order_id = $1`, []any{b.failed}},
		{"failed-released", b.failed, `UPDATE test_charges SET status = 'captured' WHERE key = $1`,
			`UPDATE test_charges SET status = 'declined' WHERE key = $1`, []any{b.failed}},
		{"cancelled-undone", b.cancelled, `UPDATE test_charges SET status = 'captured' WHERE key = $1`,
			`UPDATE test_charges SET status = 'refunded' WHERE key = $1`, []any{b.cancelled}},
		{"cancelled-undone", product, `UPDATE reservations SET state = 'committed' WHERE order_id = $1`,
			`UPDATE reservations SET state = 'returned' WHERE order_id = $1`, []any{b.cancelled}},
		{"order-paid", b.user, `UPDATE orders SET payment_amount = payment_amount - 1 WHERE id = $1`,
			`UPDATE orders SET payment_amount = payment_amount + 1 WHERE id = $1`, []any{b.confirmed}},
		{"order-paid", b.confirmed, `UPDATE test_charges SET status = 'refunded' WHERE key = $1`,
			`UPDATE test_charges SET status = 'captured' WHERE key = $1`, []any{b.confirmed}},
		{"charge-owned", product, `INSERT INTO test_charges (key, ref, amount, currency, status) SELECT $1, 'r', 5, 'USD', 'captured'`,
			`DELETE FROM test_charges WHERE key = $1`, []any{product}},
		{"order-totals", b.user, `UPDATE orders SET total = total + 1 WHERE id = $1`,
			`UPDATE orders SET total = total - 1 WHERE id = $1`, []any{b.cancelled}},
		{"checkout-order", b.user, `UPDATE checkouts SET state = 'failed' WHERE order_id = $1`,
			`UPDATE checkouts SET state = 'confirmed' WHERE order_id = $1`, []any{b.confirmed}},
		{"checkout-settled", b.user, `UPDATE checkouts SET state = 'open', cart_version = 99, expires_at = now() - interval '1 minute' WHERE order_id = $1`,
			`UPDATE checkouts SET state = 'failed' WHERE order_id = $1`, []any{b.failed}},
		{"placement", elsewhere, `INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at) VALUES ($1, $2, '', 0, 'released', now())`,
			`DELETE FROM reservations WHERE order_id = $1 AND product_id = $2`, []any{b.failed, b.p.ID}},
		{"one-shard", b.otherShard(b.user), `INSERT INTO checkouts SELECT $1, $2, 1, 'failed', '', NULL, '[]', 101, 'USD', '{}', NULL, false, now(), now(), now(), now()`,
			`DELETE FROM checkouts WHERE order_id = $1 AND user_id = $2`, []any{b.failed, b.user}},
		{"key-placement", b.otherShard(b.user), `INSERT INTO carts (user_id, created_by, updated_by) VALUES ($1, '', '')`,
			`DELETE FROM carts WHERE user_id = $1`, []any{b.user}},
		{"stock-placement", elsewhere, `INSERT INTO stock (product_id, available, received, created_by, updated_by) VALUES ($1, 0, 0, '', '')`,
			`DELETE FROM stock WHERE product_id = $1`, []any{b.p.ID}},
		{"outbox-fresh", b.user, `INSERT INTO outbox (topic, key, payload, created_at) VALUES ('t', $1, '{}', now() - interval '6 minutes')`,
			`DELETE FROM outbox WHERE key = $1`, []any{"old"}},
	} {
		if breach.rule == "stock-not-negative" {
			w.ddl(t, `ALTER TABLE stock DROP CONSTRAINT stock_available_check`)
		}
		w.exec(t, breach.key, breach.sql, breach.args...)
		report, err := postgres.Audit(t.Context(), nil, w.Shards, strict)
		check(t, err)
		if found := broken(report); report.OK || !slices.Contains(found, breach.rule) {
			t.Errorf("%s: found %v after %s", breach.rule, found, breach.sql)
		}
		w.exec(t, breach.key, breach.undo, breach.args...)
		report, err = postgres.Audit(t.Context(), nil, w.Shards, strict)
		check(t, err)
		if !report.OK {
			t.Fatalf("not made good: %v after %s", broken(report), breach.undo)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newIDAt(i int) string { return "elsewhere-" + string(rune('a'+i%26)) + string(rune('a'+i/26)) }

// otherShard is a key that lives on another shard than the given one.
func (w *world) otherShard(key string) string {
	for i := 0; ; i++ {
		if must(w.cluster.Locate(newIDAt(i))) != must(w.cluster.Locate(key)) {
			return newIDAt(i)
		}
	}
}

// ddl runs a statement on every shard.
func (w *world) ddl(t *testing.T, sql string) {
	t.Helper()
	for _, n := range w.cluster.Nodes() {
		_, err := n.Pool.Exec(t.Context(), sql)
		check(t, err)
	}
}

func TestAuditFindsCartsBoughtTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newSold(t, w)
	w.ddl(t, `DROP INDEX orders_cart`)
	w.exec(t, b.user, `UPDATE orders SET cart_version = (SELECT cart_version FROM orders WHERE id = $2) WHERE id = $1`, b.cancelled, b.confirmed)
	report, err := postgres.Audit(t.Context(), nil, w.Shards, strict)
	check(t, err)
	if got := broken(report); len(got) != 1 || got[0] != "bought-once" {
		t.Fatalf("%v", got)
	}
}

func TestAuditComparesTheCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.product(t, 20), w.product(t, 5)
	p.Availability, q.Availability = shop.InStock, shop.InStock
	w.products.put(p)
	w.products.put(q)
	report, err := postgres.Audit(t.Context(), w.products, w.Shards, strict)
	check(t, err)
	rule := report.Rules[len(report.Rules)-1]
	if rule.Name != "availability" || rule.Checked != 2 || rule.Broken != 1 || rule.Violations[0].Subject != shop.ProductKey(q.ID) {
		t.Fatalf("%+v", rule)
	}
	recent := strict
	recent.Grace = time.Minute // the flip may be under way
	if report, err = postgres.Audit(t.Context(), w.products, w.Shards, recent); err != nil || !report.OK {
		t.Fatalf("%+v, %v", report, err)
	}
}

// Work under way is no violation, but it is told.
func TestAuditOfALiveShop(t *testing.T) { bothWays(t, checkAuditOfALiveShop) }

func checkAuditOfALiveShop(t *testing.T, w *world) {
	p := w.product(t, 20)
	for _, point := range []string{"opened", "reserved", "charged", "confirmed"} {
		if !w.dyingAt(t, point, buy(w.fill(t, p))) {
			t.Fatalf("did not come to %s", point)
		}
	}
	report, err := postgres.Audit(t.Context(), nil, w.Shards, postgres.AuditOptions{Settle: -1})
	check(t, err)
	if !report.OK || report.InFlight["open_checkouts"] != 3 || report.InFlight["unsettled"] != 1 || report.InFlight["outbox"] == 0 {
		t.Fatalf("%v, %+v", broken(report), report.InFlight)
	}
}

// What is wrong only until the second look is not wrong.
func TestAuditLooksTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newSold(t, w)
	w.exec(t, shop.ProductKey(b.p.ID), `UPDATE stock SET available = available + 1 WHERE product_id = $1`, b.p.ID)
	w.exec(t, b.confirmed, `UPDATE test_charges SET status = 'refunded' WHERE key = $1`, b.confirmed)
	w.exec(t, b.user, `UPDATE orders SET payment_amount = payment_amount - 1 WHERE id = $1`, b.confirmed)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	mended := &mender{shelf: w.products, mend: func() { // runs in the first look, after the stock was read
		w.exec(t, b.confirmed, `UPDATE test_charges SET status = 'captured' WHERE key = $1`, b.confirmed)
		w.exec(t, b.user, `UPDATE orders SET payment_amount = payment_amount - 1 WHERE id = $1`, b.confirmed)
	}}
	report, err := postgres.Audit(ctx, mended, w.Shards, postgres.AuditOptions{Settle: time.Millisecond, Grace: -1})
	check(t, err)
	if got := broken(report); len(got) != 1 || got[0] != "stock-balance" || report.InFlight["settling"] != 2 {
		t.Fatalf("%v, %+v", got, report.InFlight) // the payment is still wrong, but in another way
	}
	var text bytes.Buffer
	check(t, report.WriteText(&text))
	if !strings.Contains(text.String(), "FAIL stock-balance") || !strings.Contains(text.String(), shop.ProductKey(b.p.ID)+": +1 units") {
		t.Fatalf("%s", text.String())
	}
	raw, err := json.Marshal(report)
	check(t, err)
	if !bytes.Contains(raw, []byte(`"ok":false`)) || !bytes.Contains(raw, []byte(`"in_flight":{`)) || bytes.Contains(raw, []byte(`null`)) {
		t.Fatalf("%s", raw)
	}
}

// mender changes the shop the first time the catalogue is asked.
type mender struct {
	*shelf
	mend func()
}

func (m *mender) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	if m.mend != nil {
		m.mend()
		m.mend = nil
	}
	return nil, nil
}

// A worker that is behind sets one thing right at each look: the audit goes on looking for as long as it does.
func TestAuditWaitsForAWorkerThatIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wrong []shop.Product
	for range 12 {
		p := w.product(t, 20)
		w.exec(t, shop.ProductKey(p.ID), `UPDATE stock SET available = available + 1 WHERE product_id = $1`, p.ID)
		wrong = append(wrong, p)
	}
	var mu sync.Mutex
	behind := readers(func() { // runs at each look on each shard, after the stock was read
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) > 0 {
			w.exec(t, shop.ProductKey(wrong[0].ID), `UPDATE stock SET available = available - 1 WHERE product_id = $1`, wrong[0].ID)
			wrong = wrong[1:]
		}
	})
	report, err := postgres.Audit(t.Context(), behind, w.Shards, postgres.AuditOptions{Settle: time.Millisecond, Grace: -1})
	check(t, err)
	if !report.OK || report.InFlight["settling"] != 12 {
		t.Fatalf("%v, %+v", broken(report), report.InFlight)
	}
}

type readers func()

func (r readers) Products(context.Context, []int64) ([]shop.Product, error) {
	r()
	return nil, nil
}

// Small pages see what large ones see.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var last *sold
	for range 6 {
		last = newSold(t, w)
	}
	w.exec(t, last.confirmed, `UPDATE test_charges SET status = 'refunded' WHERE key = $1`, last.confirmed)
	var checked []int64
	for _, size := range []int{1, 3, 1000} {
		o := strict
		o.Page = size
		report, err := postgres.Audit(t.Context(), nil, w.Shards, o)
		check(t, err)
		var n int64
		for _, r := range report.Rules {
			n += r.Checked
		}
		checked = append(checked, n)
		if got := broken(report); len(got) != 1 || got[0] != "order-paid" {
			t.Fatalf("pages of %d: %v", size, got)
		}
	}
	if checked[0] != checked[2] || checked[1] != checked[2] {
		t.Fatalf("checked %v", checked)
	}
}
