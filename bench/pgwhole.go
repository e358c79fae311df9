package main

import "fmt"

// The anchor of the aims is the least that could be called an order: stock, order, lines. This is a hand-written transaction that leaves
// what an order of ours leaves, on one database and in one commit: no payment lies between, nothing is sharded, and a process that died
// in it would leave nothing to take up again. The two say what the rows cost, and what group commit gets back.

// wholeCarts are the shoppers of the hand-written shop; each has a cart.
const wholeCarts = 100_000

// wholeTables are what the anchor's tables lack of a real order.
var wholeTables = fmt.Sprintf(`
CREATE TABLE carts (user_id bigint PRIMARY KEY, version bigint NOT NULL, last_order bigint) WITH (fillfactor = 70);
CREATE TABLE cart_lines (user_id bigint, product_id bigint, quantity bigint NOT NULL, PRIMARY KEY (user_id, product_id));
CREATE TABLE idempotency_keys (user_id bigint, key text, hash bytea NOT NULL, order_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (user_id, key));
CREATE TABLE reservations (order_id bigint, product_id bigint, quantity bigint NOT NULL, state text NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, product_id));
CREATE TABLE payments (order_id bigint PRIMARY KEY, provider text NOT NULL, ref text NOT NULL, amount bigint NOT NULL, status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, key text NOT NULL, payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO carts SELECT i, 1 FROM generate_series(1, %[1]d) i;
`, wholeCarts)

// wholeRandom buys three products out of 10,000, wholeHot the one that everybody wants; whoever is at work twice with the same cart waits
// for its row, which is one in thousands.
var (
	wholeRandom = `\set a random(1, 10000)
\set b random(1, 10000)
\set c random(1, 10000)
\set x least(:a, :b, :c)
\set z greatest(:a, :b, :c)
\set y :a + :b + :c - :x - :z
` + wholeBegin + `UPDATE stock SET available = available - 1 WHERE product_id = :x AND available >= 1;
UPDATE stock SET available = available - 1 WHERE product_id = :y AND available >= 1;
UPDATE stock SET available = available - 1 WHERE product_id = :z AND available >= 1;
INSERT INTO orders (user_id, total) VALUES (:u, 300) RETURNING id \gset
INSERT INTO order_items VALUES (:id, 1, :x, 1, 100), (:id, 2, :y, 1, 100), (:id, 3, :z, 1, 100);
INSERT INTO reservations SELECT DISTINCT :id::bigint, p, 1, 'committed', now() + interval '30 s' FROM unnest(ARRAY[:x, :y, :z]::bigint[]) p;
` + wholeEnd
	wholeHot = wholeBegin + `UPDATE stock SET available = available - 1 WHERE product_id = 1 AND available >= 1;
INSERT INTO orders (user_id, total) VALUES (:u, 100) RETURNING id \gset
INSERT INTO order_items VALUES (:id, 1, 1, 1, 100);
INSERT INTO reservations VALUES (:id, 1, 1, 'committed', now() + interval '30 s');
` + wholeEnd
)

var wholeBegin = fmt.Sprintf(`\set u random(1, %d)
\set k random(1, 1000000000000)
BEGIN;
SELECT product_id, quantity FROM cart_lines WHERE user_id = :u;
`, wholeCarts)

const wholeEnd = `INSERT INTO idempotency_keys VALUES (:u, :k::text, '0123456789abcdef0123456789abcdef', :id);
INSERT INTO payments VALUES (:id, 'test', :k::text, 300, 'captured');
INSERT INTO outbox (topic, key, payload) VALUES ('order.confirmed', :id::text, jsonb_build_object('order_id', :id::bigint, 'user_id', :u::bigint));
DELETE FROM cart_lines WHERE user_id = :u;
UPDATE carts SET version = version + 1, last_order = :id WHERE user_id = :u;
END;
`
