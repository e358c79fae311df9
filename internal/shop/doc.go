// Package shop is the domain: products, stock, carts, orders, users, payments, the errors a shopper may see,
// the checkout saga, and the interfaces all of these need from the outside.
//
// It imports only the standard library. Clocks and ids are handed in; storage, caches, payment providers and
// HTTP live in adapters (internal/postgres, internal/cached, internal/httpapi, ...), which import this package
// and never each other.
//
// # Where data lives (the sharding key of each type)
//
//   - Product: the catalogue database, replicated, not sharded.
//   - Stock, Reservation: the shard of the product id (its decimal form, [ProductKey]).
//   - User, Session, Cart, Checkout, Order, Payment, idempotency keys: the shard of the user id.
//   - The claim on an e-mail address: the shard of the address in lower case.
package shop
