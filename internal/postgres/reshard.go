package postgres

import "github.com/stampede-shop/stampede/shard/move"

// MovingTables are the tables whose rows move with their key when a shard is brought in: everything on a shard but the outbox,
// whose events are relayed from where they were written, and answers, which matter for seconds and may be lost. Who adds a table to the shards adds it here.
func MovingTables() []move.Table {
	byUser := func(name string) move.Table { return move.Table{Name: name, Key: "user_id"} }
	return []move.Table{
		{Name: "users", Key: "id"},
		{Name: "user_emails", Key: "email"},
		byUser("sessions"),
		{Name: "guest_claims", Key: "guest_id"},
		byUser("user_guests"),
		byUser("carts"),
		byUser("cart_items"),
		{Name: "cart_exports", Key: "guest_id"}, // numbers go on after all that were given: an import is known by its number
		byUser("cart_imports"),
		{Name: "stock", Key: "product_id"},
		{Name: "reservations", Key: "product_id"},
		byUser("checkouts"),
		byUser("idempotency_keys"),
		byUser("orders"),
		byUser("payments"),
		{Name: "test_charges", Key: "key"},
	}
}
