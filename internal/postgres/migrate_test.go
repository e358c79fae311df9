package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// What a shop of the version before has written is there afterwards, and, taken back, before again.
func TestMigrationCarriesOrdersOver(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), localtest.Postgres(t).Database(t)
	postgres.MigrateShardTo(t, dsn, 2)
	c, err := pgx.Connect(ctx, dsn)
	check(t, err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `
		INSERT INTO orders (id, user_id, cart_version, status, subtotal, total, currency, created_at, created_by, updated_at, updated_by)
		VALUES ('o1', 'u', 1, 'confirmed', 700, 700, 'USD', now(), 'u', now(), 'u'), ('o2', 'u', 2, 'cancelled', 5, 5, 'USD', now(), 'u', now(), 'u');
		INSERT INTO order_items VALUES ('o1', 2, 8, 'S-8', 'Eight "8"', 1, 300), ('o1', 1, 7, 'S-7', 'Seven', 2, 200), ('o2', 1, 9, 'S-9', 'Nine', 1, 5);
		INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, expires_at, created_at)
		SELECT 'c' || i, 'u', i, 'open', '[{"product_id": 7}]', 1, 'USD', '{}', now(), now() FROM generate_series(3, 5) i`)
	check(t, err)
	check(t, postgres.MigrateShard(ctx, dsn))
	one := func(query string) (v string) {
		t.Helper()
		check(t, c.QueryRow(ctx, query).Scan(&v))
		return v
	}
	want := `[{"sku": "S-7", "name": "Seven", "quantity": 2, "product_id": 7, "unit_price": 200}, {"sku": "S-8", "name": "Eight \"8\"", "quantity": 1, "product_id": 8, "unit_price": 300}]`
	if got := one(`SELECT lines::text FROM orders WHERE id = 'o1'`); got != want {
		t.Errorf("lines %s", got)
	}
	if got := one(`SELECT string_agg(order_id || ' ' || state, ', ' ORDER BY order_id) FROM checkouts`); got != "c3 failed, c4 failed, c5 open" {
		t.Errorf("of three open checkouts: %s", got)
	}
	if got := one(`SELECT string_agg(key || ' ' || (payload ->> 'product_ids'), ', ' ORDER BY key) FROM outbox WHERE topic = 'checkout.failed'`); got != "c3 [7], c4 [7]" {
		t.Errorf("the worker is told of %s", got)
	}
	postgres.MigrateShardTo(t, dsn, 2)
	if got := one(`SELECT string_agg(concat_ws('/', order_id, position, product_id, name, quantity, unit_price), ' ' ORDER BY order_id, position) FROM order_items`); got != `o1/1/7/Seven/2/200 o1/2/8/Eight "8"/1/300 o2/1/9/Nine/1/5` {
		t.Errorf("back again: %s", got)
	}
}
