-- name: FindKey :one
-- The checkout that a key stands for. One that was merely interrupted (nothing charged, nothing sold) does not use the
-- key up: the shopper was told to ask again.
SELECT k.order_id, k.hash FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
WHERE k.user_id = $1 AND k.key = $2 AND k.created_at > now() - interval '24 hours'
    AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable');

-- name: OpenCheckout :one
-- The cart row is locked. Answers with the id of the checkout that stands (bound to the key, joined or new), or with no
-- row when the cart has another version by now; mismatch when the key was used with another body; busy when that id is of
-- an earlier version's checkout, which has to end first: what it is buying is still in the cart.
WITH bound AS (
    SELECT k.order_id, (k.hash <> @hash::bytea) AS mismatch
    FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
    WHERE k.user_id = @user_id::text AND k.key = @key::text AND k.created_at > now() - interval '24 hours'
        AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable')),
joined AS (
    SELECT c.order_id FROM checkouts c
    WHERE c.user_id = @user_id::text AND c.cart_version = @cart_version::bigint AND c.state = 'open'
        AND NOT EXISTS (SELECT 1 FROM bound)
    UNION ALL
    SELECT o.id FROM orders o
    WHERE o.user_id = @user_id::text AND o.cart_version = @cart_version::bigint AND NOT EXISTS (SELECT 1 FROM bound)),
busy AS (
    SELECT c.order_id FROM checkouts c
    WHERE c.user_id = @user_id::text AND c.state = 'open'
        AND NOT EXISTS (SELECT 1 FROM bound) AND NOT EXISTS (SELECT 1 FROM joined)
    LIMIT 1),
opened AS (
    INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, shipping_address,
        expires_at, created_at)
    SELECT @order_id::text, @user_id::text, @cart_version::bigint, 'open', @lines::jsonb, @total::bigint,
        @currency::text, @payment::jsonb, sqlc.narg('shipping_address')::jsonb, @expires_at::timestamptz,
        @created_at::timestamptz
    FROM carts WHERE carts.user_id = @user_id::text AND carts.version = @cart_version::bigint
        AND NOT EXISTS (SELECT 1 FROM bound) AND NOT EXISTS (SELECT 1 FROM joined) AND NOT EXISTS (SELECT 1 FROM busy)
    RETURNING order_id),
chosen AS (
    SELECT b.order_id, b.mismatch FROM bound b
    UNION ALL SELECT j.order_id, false FROM joined j
    UNION ALL SELECT o.order_id, false FROM opened o),
keyed AS (
    INSERT INTO idempotency_keys (user_id, key, hash, order_id)
    SELECT @user_id::text, @key::text, @hash::bytea, c.order_id FROM chosen c
    WHERE @key::text <> '' AND NOT EXISTS (SELECT 1 FROM bound)
    ON CONFLICT (user_id, key) DO UPDATE SET hash = excluded.hash, order_id = excluded.order_id, created_at = now())
SELECT c.order_id::text AS order_id, c.mismatch::boolean AS mismatch, false AS busy FROM chosen c
UNION ALL SELECT b.order_id, false, true FROM busy b;

-- name: CheckoutByID :one
SELECT * FROM checkouts WHERE order_id = $1 AND user_id = $2;

-- name: MarkPaymentUnknown :exec
UPDATE checkouts SET payment_unknown = true, updated_at = now() WHERE order_id = $1 AND user_id = $2 AND state = 'open';

-- name: ConfirmCheckout :exec
-- open -> confirmed with everything that follows from it; nothing when it is not open. The cart row is locked.
WITH done AS (
    UPDATE checkouts SET state = 'confirmed', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE order_id = @order_id::text AND user_id = @user_id::text AND state = 'open'
    RETURNING order_id, user_id, cart_version, lines, total, currency, shipping_address, created_at, finished_at),
bought AS (
    SELECT (l.line ->> 'product_id')::bigint AS product_id, (l.line ->> 'quantity')::bigint AS quantity
    FROM done CROSS JOIN LATERAL jsonb_array_elements(done.lines) AS l(line)),
made AS (
    INSERT INTO orders (id, user_id, cart_version, status, lines, subtotal, total, currency, shipping_address, created_at,
        created_by, updated_at, updated_by, payment_provider, payment_ref, payment_amount, payment_status)
    SELECT d.order_id, d.user_id, d.cart_version, 'confirmed', d.lines, d.total, d.total, d.currency, d.shipping_address,
        d.created_at, d.user_id, d.finished_at, d.user_id, @provider::text, @ref::text, @amount::bigint, 'captured'
    FROM done d),
emptied AS (
    DELETE FROM cart_items i USING bought b
    WHERE i.user_id = @user_id::text AND i.product_id = b.product_id AND i.quantity <= b.quantity),
reduced AS (
    UPDATE cart_items i SET quantity = i.quantity - b.quantity, updated_at = now() FROM bought b
    WHERE i.user_id = @user_id::text AND i.product_id = b.product_id AND i.quantity > b.quantity),
cart AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = d.order_id, last_order_at = NULL,
        updated_at = now(), updated_by = d.user_id
    FROM done d WHERE c.user_id = d.user_id)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'order.confirmed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), @traceparent::text
FROM done d;

-- name: MarkAnswered :exec
-- From now on a checkout of the bought cart comes after its sale.
UPDATE carts SET last_order_at = clock_timestamp()
WHERE user_id = @user_id::text AND last_order_id = @order_id::text AND last_order_at IS NULL;

-- name: FailCheckout :exec
WITH done AS (
    UPDATE checkouts SET state = 'failed', reason = @reason::text, shortage = sqlc.narg('shortage')::jsonb,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE order_id = @order_id::text AND user_id = @user_id::text AND state = 'open'
    RETURNING order_id, user_id, lines)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'checkout.failed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), @traceparent::text
FROM done d;

-- name: ExpiredCheckouts :many
SELECT * FROM checkouts WHERE state = 'open' AND expires_at < now() ORDER BY expires_at LIMIT $1;

-- name: CheckoutStates :many
SELECT order_id, state, coalesce(finished_at < now() - interval '24 hours', false)::boolean AS old
FROM checkouts WHERE order_id = ANY (@order_ids::text[]);
