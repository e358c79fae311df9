-- Reservations by the batch, for many orders of one shard. Arrays have one entry for each line, and go in parallel. But
-- for ReserveAll, which locks them by updating, the stock rows are locked (LockStock).

-- name: ReserveAll :exec
-- Holds every line, if the orders have none of them yet and there is enough of everything, so much that no product's
-- availability changes its class and there is nothing to tell; else it fails, with SR001 or by the primary key of reservations, and
-- the transaction with it. Products come once, with the units that all orders want, in the order of their ids, in which their rows
-- are updated and thereby locked.
-- One update for each product, whatever the number of orders. (Looking first, under a lock, costs as much again as taking.)
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@product_ids::bigint[]) AS product_id,
        unnest(@user_ids::text[]) AS user_id, unnest(@quantities::bigint[]) AS quantity,
        unnest(@expires_at::timestamptz[]) AS expires_at),
totals AS MATERIALIZED (SELECT unnest(@products::bigint[]) AS product_id, unnest(@units::bigint[]) AS units),
taken AS (
    UPDATE stock s SET available = s.available - t.units, updated_at = now(), updated_by = 'checkout'
    FROM totals t
    WHERE s.product_id = t.product_id AND s.available >= t.units
        AND availability_class(s.available) = availability_class(s.available - t.units)
    RETURNING s.product_id),
held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT w.order_id, w.product_id, w.user_id, w.quantity, 'held', w.expires_at FROM wanted w)
SELECT (CASE WHEN (SELECT count(*) FROM taken) = cardinality(@products::bigint[])
    THEN true ELSE reservation_refused() END)::boolean AS clear;

-- name: HeldBefore :many
-- What the orders have of the products already.
SELECT r.order_id, r.product_id, r.state FROM reservations r
WHERE r.order_id = ANY (@order_ids::text[]) AND r.product_id = ANY (@product_ids::bigint[]);

-- name: Hold :exec
-- Writes down what was decided; the rows are locked since it was.
WITH held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT unnest(@order_ids::text[]), unnest(@product_ids::bigint[]), unnest(@user_ids::text[]),
        unnest(@quantities::bigint[]), 'held', unnest(@expires_at::timestamptz[])
    RETURNING product_id, quantity),
totals AS (SELECT h.product_id, sum(h.quantity)::bigint AS units FROM held h GROUP BY h.product_id),
taken AS (
    UPDATE stock s SET available = s.available - t.units, updated_at = now(), updated_by = 'checkout',
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available - t.units))::int
    FROM totals t WHERE s.product_id = t.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available + t.units AS was)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', t.product_id::text, jsonb_build_object('product_id', t.product_id, 'available', t.available,
    'level_version', t.level_version), @traceparent::text
FROM taken t WHERE availability_class(t.available) <> availability_class(t.was);

-- name: CommitMany :many
-- The states that the reservations now have.
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@product_ids::bigint[]) AS product_id),
sold AS (
    UPDATE reservations r SET state = 'committed', updated_at = now()
    FROM wanted w WHERE r.order_id = w.order_id AND r.product_id = w.product_id AND r.state = 'held'
    RETURNING r.order_id, r.product_id)
SELECT s.order_id::text AS order_id, s.product_id::bigint AS product_id, 'committed'::text AS state FROM sold s
UNION ALL
SELECT w.order_id::text, w.product_id::bigint, r.state::text
FROM wanted w CROSS JOIN LATERAL (
    SELECT x.state FROM reservations x
    WHERE x.order_id = w.order_id AND x.product_id = w.product_id AND x.state <> 'held' LIMIT 1) r;

-- name: GiveBackMany :exec
-- Each line goes to its entry of @states: released from held, with a tombstone where there is no reservation; returned
-- from held or committed.
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@product_ids::bigint[]) AS product_id,
        unnest(@states::text[]) AS state),
moved AS (
    UPDATE reservations r SET state = w.state, updated_at = now()
    FROM wanted w WHERE r.order_id = w.order_id AND r.product_id = w.product_id
        AND (r.state = 'held' OR (r.state = 'committed' AND w.state = 'returned'))
    RETURNING r.product_id, r.quantity),
stone AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT w.order_id, w.product_id, '', 0, 'released', now() FROM wanted w WHERE w.state = 'released'
    ON CONFLICT DO NOTHING),
totals AS (SELECT m.product_id, sum(m.quantity)::bigint AS units FROM moved m GROUP BY m.product_id),
given AS (
    UPDATE stock s SET available = s.available + t.units, updated_at = now(), updated_by = 'give-back',
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available + t.units))::int
    FROM totals t WHERE s.product_id = t.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available - t.units AS was)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', g.product_id::text, jsonb_build_object('product_id', g.product_id, 'available', g.available,
    'level_version', g.level_version), @traceparent::text
FROM given g WHERE availability_class(g.available) <> availability_class(g.was);
