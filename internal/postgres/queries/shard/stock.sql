-- name: Available :many
SELECT product_id, available FROM stock WHERE product_id = ANY (@product_ids::bigint[]);

-- name: SetAvailable :exec
WITH now_set AS (
    INSERT INTO stock (product_id, available, received, level_version, created_by, updated_by)
    VALUES (@product_id::bigint, @available::bigint, @available::bigint, 1, @actor::text, @actor::text)
    ON CONFLICT (product_id) DO UPDATE SET available = excluded.available,
        received = stock.received + excluded.available - stock.available, level_version = stock.level_version + 1,
        updated_at = now(), updated_by = excluded.updated_by
    RETURNING product_id, available, level_version)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', s.product_id::text, jsonb_build_object('product_id', s.product_id, 'available', s.available,
    'level_version', s.level_version), @traceparent::text
FROM now_set s;

-- name: SeedStock :exec
-- Writes no events: a product and its availability are loaded together with its stock.
INSERT INTO stock (product_id, available, received, created_by, updated_by)
SELECT s.product_id, s.available, s.available, @actor::text, @actor::text
FROM (SELECT unnest(@product_ids::bigint[]) AS product_id, unnest(@available::bigint[]) AS available) s
ORDER BY s.product_id
ON CONFLICT (product_id) DO NOTHING;

-- name: LockStock :exec
-- First statement of every transaction that moves units: the order of product ids keeps them from deadlocking, and the
-- next statement then sees what the transactions before it did.
SELECT product_id FROM stock WHERE product_id = ANY (@product_ids::bigint[]) ORDER BY product_id FOR UPDATE;

-- name: Reserve :many
-- Holds all lines or none of this shard and tells, for each line, what the order already had (before), what was left
-- of the product when nothing was held for it yet, and whether this call held it.
WITH wanted AS (
    SELECT unnest(@product_ids::bigint[]) AS product_id, unnest(@quantities::bigint[]) AS quantity),
seen AS (
    SELECT w.product_id, w.quantity, r.state, coalesce(s.available, 0) AS available
    FROM wanted w LEFT JOIN stock s ON s.product_id = w.product_id
        LEFT JOIN reservations r ON r.order_id = @order_id::text AND r.product_id = w.product_id),
held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT @order_id::text, n.product_id, @user_id::text, n.quantity, 'held', @expires_at::timestamptz
    FROM seen n
    WHERE n.state IS NULL AND NOT EXISTS (
        SELECT 1 FROM seen x
        WHERE x.state IN ('released', 'returned') OR (x.state IS NULL AND x.available < x.quantity))
    ORDER BY n.product_id
    ON CONFLICT DO NOTHING
    RETURNING product_id, quantity),
taken AS (
    UPDATE stock s SET available = s.available - h.quantity, updated_at = now(), updated_by = @user_id::text,
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available - h.quantity))::int
    FROM held h WHERE s.product_id = h.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available + h.quantity AS was),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'stock.level', t.product_id::text, jsonb_build_object('product_id', t.product_id, 'available', t.available,
        'level_version', t.level_version), @traceparent::text
    FROM taken t WHERE availability_class(t.available) <> availability_class(t.was))
SELECT n.product_id::bigint AS product_id, n.quantity::bigint AS quantity, coalesce(n.state, '')::text AS before,
    n.available::bigint AS available, (h.product_id IS NOT NULL)::boolean AS held
FROM seen n LEFT JOIN held h ON h.product_id = n.product_id
ORDER BY n.product_id;

-- name: CommitReservations :many
-- The states that the reservations now have.
WITH sold AS (
    UPDATE reservations r SET state = 'committed', updated_at = now()
    WHERE r.order_id = @order_id::text AND r.product_id = ANY (@product_ids::bigint[]) AND r.state = 'held'
    RETURNING r.product_id, r.state)
SELECT r.product_id, coalesce(s.state, r.state)::text AS state
FROM reservations r LEFT JOIN sold s ON s.product_id = r.product_id
WHERE r.order_id = @order_id::text AND r.product_id = ANY (@product_ids::bigint[]);

-- name: GiveBack :exec
-- Moves reservations from one of the states @gives to @state and gives their units back; where there is no reservation
-- and @tombstone is set, one is left that a later reserve does not overcome. The stock rows are locked.
WITH wanted AS (SELECT unnest(@product_ids::bigint[]) AS product_id),
moved AS (
    UPDATE reservations r SET state = @state::text, updated_at = now() FROM wanted w
    WHERE r.order_id = @order_id::text AND r.product_id = w.product_id AND r.state = ANY (@gives::text[])
    RETURNING r.product_id, r.quantity),
stone AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT @order_id::text, w.product_id, '', 0, 'released', now() FROM wanted w WHERE @tombstone::boolean
    ORDER BY w.product_id
    ON CONFLICT DO NOTHING),
given AS (
    UPDATE stock s SET available = s.available + m.quantity, updated_at = now(), updated_by = @actor::text,
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available + m.quantity))::int
    FROM moved m WHERE s.product_id = m.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available - m.quantity AS was)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', g.product_id::text, jsonb_build_object('product_id', g.product_id, 'available', g.available,
    'level_version', g.level_version), @traceparent::text
FROM given g WHERE availability_class(g.available) <> availability_class(g.was);

-- name: ExpiredReservations :many
SELECT order_id, product_id FROM reservations WHERE state = 'held' AND expires_at < now()
ORDER BY expires_at LIMIT $1;

-- name: OldTombstones :many
SELECT order_id, product_id FROM reservations
WHERE state = 'released' AND updated_at < now() - interval '24 hours'
ORDER BY updated_at LIMIT $1;

-- name: DropTombstones :execrows
DELETE FROM reservations WHERE state = 'released' AND order_id = ANY (@order_ids::text[]);
