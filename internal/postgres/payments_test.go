package postgres_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// apart lets an order look as processes of the version before write it: its payment is a row of its own.
const apart = `WITH moved AS (
	INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status)
	SELECT id, user_id, payment_provider, payment_ref, payment_amount, currency, payment_status FROM orders WHERE id = $1)
UPDATE orders SET payment_provider = NULL, payment_ref = NULL, payment_amount = NULL, payment_status = NULL WHERE id = $1`

// While old processes run beside new ones, payments are rows of their own or part of their orders; both are audited and refunded.
func TestPaymentsOfBothKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newSold(t, w)
	ctx, s := t.Context(), w.saga(nil)
	user := w.fill(t, b.p)
	r, err := s.Run(ctx, buy(user))
	check(t, err)
	w.drain(t, s)
	due := func(table, key, id string) int64 {
		return w.count(t, b.user, `SELECT count(*) FROM `+table+` WHERE `+key+` = $1 AND (to_jsonb(`+table+`) ->> 'status' = 'refund_due'
			OR to_jsonb(`+table+`) ->> 'payment_status' = 'refund_due')`, id)
	}
	if due("orders", "id", b.cancelled) != 1 {
		t.Error("a cancelled order that carries its payment does not say that it is to be refunded")
	}
	w.exec(t, b.user, apart, b.confirmed)
	w.exec(t, user, apart, r.Order.ID)
	w.clean(t)
	w.exec(t, b.user, `UPDATE payments SET amount = amount - 1 WHERE order_id = $1`, b.confirmed)
	w.exec(t, user, `UPDATE orders SET payment_provider = 'test', payment_amount = total, payment_status = 'captured' WHERE id = $1`, r.Order.ID)
	report, err := postgres.Audit(ctx, nil, w.Shards, strict)
	check(t, err)
	if got := broken(report); !slices.Equal(got, []string{"order-paid", "one-shard"}) {
		t.Errorf("a payment that is short, and two of one order: the audit finds %v", got)
	}
	_, err = s.Cancel(ctx, b.user, b.confirmed)
	check(t, err)
	if due("payments", "order_id", b.confirmed) != 1 {
		t.Error("the payment of an order of before does not say that it is to be refunded")
	}
}

// Taken back, payments that orders carry are rows of their own again.
func TestMigrationTakesPaymentsBack(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), localtest.Postgres(t).Database(t)
	check(t, postgres.MigrateShard(ctx, dsn))
	c, err := pgx.Connect(ctx, dsn)
	check(t, err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `
		INSERT INTO orders (id, user_id, cart_version, status, lines, subtotal, total, currency, created_at, created_by, updated_at, updated_by,
			payment_provider, payment_ref, payment_amount, payment_status)
		VALUES ('o1', 'u', 1, 'confirmed', '[]', 7, 7, 'USD', now(), 'u', now(), 'u', 'test', 'r1', 7, 'captured'),
			('o2', 'u', 2, 'cancelled', '[]', 5, 5, 'USD', now(), 'u', now(), 'u', NULL, NULL, NULL, NULL);
		INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status) VALUES ('o2', 'u', 'test', 'r2', 5, 'USD', 'refund_due')`)
	check(t, err)
	postgres.MigrateShardTo(t, dsn, 4)
	var got string
	check(t, c.QueryRow(ctx, `SELECT string_agg(concat_ws('/', order_id, user_id, provider, ref, amount, currency, status), ' ' ORDER BY order_id) FROM payments`).Scan(&got))
	if got != "o1/u/test/r1/7/USD/captured o2/u/test/r2/5/USD/refund_due" {
		t.Errorf("payments are %s", got)
	}
}
