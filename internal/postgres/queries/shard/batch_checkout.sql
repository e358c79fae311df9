-- Checkouts by the batch. Each statement does for many shoppers of one shard what its namesake in checkout.sql does for
-- one; no shopper and no checkout is in a batch twice. Arrays go in parallel; callers sort them by the key that is locked.

-- name: LockCarts :exec
SELECT version FROM carts WHERE user_id = ANY (@user_ids::text[]) ORDER BY user_id FOR UPDATE;

-- name: OpenCheckouts :many
-- The cart rows are locked. A row for each shopper whose checkout stands; none when the cart has another version by now;
-- busy when it is an earlier version's checkout that stands.
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id,
        unnest(@cart_versions::bigint[]) AS cart_version, unnest(@lines::text[]) AS lines,
        unnest(@totals::bigint[]) AS total, unnest(@currencies::text[]) AS currency, unnest(@payments::text[]) AS payment,
        unnest(@addresses::text[]) AS address, unnest(@expires_at::timestamptz[]) AS expires_at,
        unnest(@created_at::timestamptz[]) AS created_at, unnest(@keys::text[]) AS key, unnest(@hashes::bytea[]) AS hash),
seen AS MATERIALIZED (
    SELECT w.order_id, w.user_id, w.cart_version, w.lines, w.total, w.currency, w.payment, w.address, w.expires_at,
        w.created_at, w.key, w.hash, b.order_id AS bound_id, coalesce(b.hash <> w.hash, false) AS mismatch,
        j.order_id AS joined_id, o.order_id AS busy_id,
        (coalesce(c.version, -1) = w.cart_version AND o.order_id IS NULL) AS current
    FROM wanted w
    LEFT JOIN LATERAL (
        SELECT k.order_id, k.hash FROM idempotency_keys k JOIN checkouts h ON h.order_id = k.order_id
        WHERE k.user_id = w.user_id AND k.key = w.key AND k.created_at > now() - interval '24 hours'
            AND NOT (h.state = 'failed' AND h.reason = 'temporarily-unavailable') LIMIT 1) b ON true
    LEFT JOIN LATERAL (
        SELECT h.order_id FROM checkouts h
        WHERE h.user_id = w.user_id AND h.cart_version = w.cart_version AND h.state IN ('open', 'confirmed')
        LIMIT 1) j ON b.order_id IS NULL
    LEFT JOIN LATERAL (
        SELECT h.order_id FROM checkouts h WHERE h.user_id = w.user_id AND h.state = 'open'
        LIMIT 1) o ON b.order_id IS NULL AND j.order_id IS NULL
    LEFT JOIN LATERAL (SELECT t.version FROM carts t WHERE t.user_id = w.user_id LIMIT 1) c ON true),
opened AS (
    INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, shipping_address,
        expires_at, created_at)
    SELECT s.order_id, s.user_id, s.cart_version, 'open', s.lines::jsonb, s.total, s.currency, s.payment::jsonb,
        nullif(s.address, '')::jsonb, s.expires_at, s.created_at
    FROM seen s WHERE s.bound_id IS NULL AND s.joined_id IS NULL AND s.current),
keyed AS (
    INSERT INTO idempotency_keys (user_id, key, hash, order_id)
    SELECT s.user_id, s.key, s.hash, coalesce(s.joined_id, s.order_id) FROM seen s
    WHERE s.key <> '' AND s.bound_id IS NULL AND (s.joined_id IS NOT NULL OR s.current)
    ON CONFLICT (user_id, key) DO UPDATE SET hash = excluded.hash, order_id = excluded.order_id, created_at = now())
SELECT s.user_id::text AS user_id, coalesce(s.bound_id, s.joined_id, s.busy_id, s.order_id)::text AS order_id,
    s.mismatch::boolean AS mismatch, (s.busy_id IS NOT NULL)::boolean AS busy
FROM seen s WHERE s.bound_id IS NOT NULL OR s.joined_id IS NOT NULL OR s.busy_id IS NOT NULL OR s.current;

-- name: ConfirmCheckouts :exec
-- The cart rows are locked.
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id,
        unnest(@providers::text[]) AS provider, unnest(@refs::text[]) AS ref, unnest(@amounts::bigint[]) AS amount,
        unnest(@traceparents::text[]) AS traceparent),
done AS (
    UPDATE checkouts c SET state = 'confirmed', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM wanted w WHERE c.order_id = w.order_id AND c.user_id = w.user_id AND c.state = 'open'
    RETURNING c.order_id, c.user_id, c.cart_version, c.lines, c.total, c.currency, c.shipping_address, c.created_at,
        c.finished_at, w.provider, w.ref, w.amount, w.traceparent),
bought AS MATERIALIZED (
    SELECT d.order_id, d.user_id, l.position, (l.line ->> 'product_id')::bigint AS product_id, l.line ->> 'sku' AS sku,
        l.line ->> 'name' AS name, (l.line ->> 'quantity')::bigint AS quantity,
        (l.line ->> 'unit_price')::bigint AS unit_price
    FROM done d CROSS JOIN LATERAL jsonb_array_elements(d.lines) WITH ORDINALITY AS l(line, position)),
made AS (
    INSERT INTO orders (id, user_id, cart_version, status, subtotal, total, currency, shipping_address, created_at,
        created_by, updated_at, updated_by)
    SELECT d.order_id, d.user_id, d.cart_version, 'confirmed', d.total, d.total, d.currency, d.shipping_address,
        d.created_at, d.user_id, d.finished_at, d.user_id
    FROM done d),
items AS (
    INSERT INTO order_items (order_id, position, product_id, sku, name, quantity, unit_price)
    SELECT b.order_id, b.position::int, b.product_id, b.sku, b.name, b.quantity, b.unit_price FROM bought b),
paid AS (
    INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status)
    SELECT d.order_id, d.user_id, d.provider, d.ref, d.amount, d.currency, 'captured' FROM done d),
emptied AS (
    DELETE FROM cart_items i USING bought b
    WHERE i.user_id = b.user_id AND i.product_id = b.product_id AND i.quantity <= b.quantity),
reduced AS (
    UPDATE cart_items i SET quantity = i.quantity - b.quantity, updated_at = now() FROM bought b
    WHERE i.user_id = b.user_id AND i.product_id = b.product_id AND i.quantity > b.quantity),
cart AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = d.order_id, last_order_at = NULL,
        updated_at = now(), updated_by = d.user_id
    FROM done d WHERE c.user_id = d.user_id)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'order.confirmed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), d.traceparent
FROM done d;

-- name: FailCheckouts :exec
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id,
        unnest(@reasons::text[]) AS reason, unnest(@shortages::text[]) AS shortage,
        unnest(@traceparents::text[]) AS traceparent),
done AS (
    UPDATE checkouts c SET state = 'failed', reason = w.reason, shortage = nullif(w.shortage, '')::jsonb,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM wanted w WHERE c.order_id = w.order_id AND c.user_id = w.user_id AND c.state = 'open'
    RETURNING c.order_id, c.user_id, c.lines, w.traceparent)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'checkout.failed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), d.traceparent
FROM done d;

-- name: CheckoutsByID :many
SELECT * FROM checkouts WHERE order_id = ANY (@order_ids::text[]);

-- name: FindKeys :many
-- What FindKey tells of one key, for many.
WITH wanted AS (SELECT unnest(@user_ids::text[]) AS user_id, unnest(@keys::text[]) AS key)
SELECT w.user_id::text AS user_id, w.key::text AS key, b.order_id::text AS order_id, b.hash::bytea AS hash
FROM wanted w CROSS JOIN LATERAL (
    SELECT k.order_id, k.hash FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
    WHERE k.user_id = w.user_id AND k.key = w.key AND k.created_at > now() - interval '24 hours'
        AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable') LIMIT 1) b;
