-- What the audit reads. "young" marks what was changed within the grace time: work that may be under way.

-- name: AuditOrderIDs :many
-- The ids of everything that belongs to an order, in order, after a cursor.
SELECT x.id::text AS id FROM (
    (SELECT c.order_id AS id FROM checkouts c WHERE c.order_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION (SELECT o.id FROM orders o WHERE o.id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION (SELECT p.order_id FROM payments p WHERE p.order_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION (SELECT DISTINCT r.order_id FROM reservations r WHERE r.order_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION (SELECT t.key FROM test_charges t WHERE t.key > @after::text ORDER BY 1 LIMIT @max_rows::int)) AS x
ORDER BY x.id LIMIT @max_rows::int;

-- name: AuditCheckouts :many
SELECT order_id, user_id, state, total, (updated_at > now() - @grace::interval)::boolean AS young,
    (expires_at < now() - @grace::interval)::boolean AS overdue
FROM checkouts WHERE order_id = ANY (@ids::text[]);

-- name: AuditOrders :many
SELECT o.id, o.user_id, o.status, o.subtotal, o.total, o.currency,
    (o.updated_at > now() - @grace::interval)::boolean AS young, o.lines AS items
FROM orders o WHERE o.id = ANY (@ids::text[]);

-- name: AuditPayments :many
-- Those that orders carry, and those of orders from before they did.
SELECT p.order_id, p.user_id, p.provider, p.amount, p.currency, p.status FROM payments p WHERE p.order_id = ANY (@ids::text[])
UNION ALL
SELECT o.id, o.user_id, coalesce(o.payment_provider, '')::text, coalesce(o.payment_amount, 0)::bigint, o.currency, coalesce(o.payment_status, '')::text
FROM orders o WHERE o.id = ANY (@ids::text[]) AND o.payment_status IS NOT NULL;

-- name: AuditReservations :many
SELECT order_id, product_id, quantity, state, (updated_at > now() - @grace::interval)::boolean AS young,
    (expires_at < now() - @grace::interval)::boolean AS overdue
FROM reservations WHERE order_id = ANY (@ids::text[]);

-- name: AuditCharges :many
SELECT key, amount, currency, status, (updated_at > now() - @grace::interval)::boolean AS young
FROM test_charges WHERE key = ANY (@ids::text[]);

-- name: AuditPending :many
SELECT DISTINCT key FROM outbox WHERE key = ANY (@ids::text[]);

-- name: AuditStock :many
-- Stock of the products after a cursor, or of some, with the units that reservations hold; one statement, so that both
-- are of one moment.
WITH page AS (
    SELECT s.product_id, s.available, s.received, (s.updated_at > now() - @grace::interval)::boolean AS young
    FROM stock s
    WHERE s.product_id > @after::bigint AND (cardinality(@ids::bigint[]) = 0 OR s.product_id = ANY (@ids::bigint[]))
    ORDER BY s.product_id LIMIT @max_rows),
taken AS (
    SELECT r.product_id, sum(r.quantity) AS units FROM reservations r
    WHERE r.state IN ('held', 'committed') AND r.product_id IN (SELECT page.product_id FROM page) GROUP BY r.product_id)
SELECT p.product_id, p.available, p.received, p.young, coalesce(t.units, 0)::bigint AS taken
FROM page p LEFT JOIN taken t ON t.product_id = p.product_id ORDER BY p.product_id;

-- name: AuditOrphans :many
-- Reservations that take units of products without a stock row.
SELECT DISTINCT r.product_id FROM reservations r
WHERE r.state IN ('held', 'committed') AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.product_id = r.product_id)
LIMIT 100;

-- name: AuditKeys :many
-- Which tables hold rows under which sharding keys, key by key after a cursor. What belongs to an order is not here.
SELECT x.key::text AS key, string_agg(x.tbl, ', ' ORDER BY x.tbl)::text AS tables FROM (
    (SELECT u.id AS key, 'users' AS tbl FROM users u WHERE u.id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT e.email, 'user_emails' FROM user_emails e WHERE e.email > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT DISTINCT n.user_id, 'sessions' FROM sessions n WHERE n.user_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT g.guest_id, 'guest_claims' FROM guest_claims g WHERE g.guest_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT DISTINCT h.user_id, 'user_guests' FROM user_guests h WHERE h.user_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT c.user_id, 'carts' FROM carts c WHERE c.user_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT DISTINCT i.user_id, 'cart_items' FROM cart_items i WHERE i.user_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    UNION ALL (SELECT DISTINCT k.user_id, 'idempotency_keys' FROM idempotency_keys k WHERE k.user_id > @after::text ORDER BY 1 LIMIT @max_rows::int)
    ) AS x
GROUP BY x.key ORDER BY x.key LIMIT @max_rows::int;

-- name: AuditTwiceBought :many
SELECT user_id, cart_version, count(*) AS orders FROM orders GROUP BY user_id, cart_version HAVING count(*) > 1 LIMIT 100;

-- name: AuditOutbox :one
SELECT count(*)::bigint AS waiting, count(*) FILTER (WHERE created_at < now() - @age::interval)::bigint AS old,
    coalesce(min(created_at)::text, '')::text AS oldest
FROM outbox;

-- name: AuditOpen :one
SELECT count(*)::bigint FROM checkouts WHERE state = 'open';
