-- Checkouts by the batch. Each statement does for many shoppers of one shard what its namesake in checkout.sql does for
-- one; no shopper and no checkout is in a batch twice. Arrays go in parallel; callers sort them by the key that is locked.

-- name: OpenCarts :many
-- Opens checkouts of what is in the carts, where nothing is in the way: a cart with lines that nobody else is at, no open
-- checkout, a key that was never used. What is not among the rows has to be looked at by itself. A cart is read as of
-- its latest version: any later one would show in the row that is locked. (Put together by hand, lines take half the
-- time of json_build_object, which looks every type up again.) The key comes first; one that then leads to no
-- checkout counts as free. Who uses keys or opens checkouts has the cart locked, so looking before inserting is nearly always
-- enough, and half the price of ON CONFLICT; one who committed between snapshot and lock breaks a unique index, and the
-- batch runs again in halves. (OFFSET 0 keeps the planner from joining: it takes partial indexes for empty and would read them
-- from end to end.)
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id, unnest(@payments::text[]) AS payment,
        unnest(@addresses::text[]) AS address, unnest(@expires_at::timestamptz[]) AS expires_at,
        unnest(@created_at::timestamptz[]) AS created_at, unnest(@keys::text[]) AS key, unnest(@hashes::bytea[]) AS hash),
ready AS MATERIALIZED (
    SELECT w.order_id, w.user_id, w.payment, w.address, w.expires_at, w.created_at, w.key, w.hash, l.version, l.currency,
        i.lines, i.total
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT c.version, c.currency FROM carts c WHERE c.user_id = w.user_id LIMIT 1 FOR UPDATE SKIP LOCKED) l
    CROSS JOIN LATERAL (SELECT t.version FROM carts t WHERE t.user_id = w.user_id AND t.version = l.version LIMIT 1) t
    CROSS JOIN LATERAL (
        SELECT '[' || string_agg('{"product_id": ' || i.product_id || ', "sku": ' || to_json(i.sku) || ', "name": ' || to_json(i.name)
                || ', "quantity": ' || i.quantity || ', "unit_price": ' || i.unit_price || ', "line_total": '
                || i.quantity * i.unit_price || '}', ',' ORDER BY i.created_at, i.product_id) || ']' AS lines,
            sum(i.quantity * i.unit_price)::bigint AS total
        FROM cart_items i WHERE i.user_id = w.user_id HAVING count(i.product_id) > 0) i),
keyed AS (
    INSERT INTO idempotency_keys (user_id, key, hash, order_id)
    SELECT r.user_id, r.key, r.hash, r.order_id FROM ready r
    WHERE r.key <> '' AND NOT EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.user_id = r.user_id AND k.key = r.key OFFSET 0)
    RETURNING order_id),
opened AS (
    INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, shipping_address,
        expires_at, created_at)
    SELECT r.order_id, r.user_id, r.version, 'open', r.lines::jsonb, r.total, r.currency, r.payment::jsonb,
        nullif(r.address, '')::jsonb, r.expires_at, r.created_at
    FROM ready r WHERE (r.key = '' OR r.order_id = ANY (ARRAY (SELECT k.order_id FROM keyed k)))
        AND NOT EXISTS (SELECT 1 FROM checkouts c WHERE c.user_id = r.user_id AND c.state = 'open' OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM checkouts c WHERE c.order_id = r.order_id OFFSET 0)
    RETURNING order_id)
SELECT r.order_id::text AS order_id, r.version::bigint AS version, r.lines::text AS lines, r.total::bigint AS total,
    r.currency::text AS currency
FROM ready r WHERE r.order_id = ANY (ARRAY (SELECT o.order_id FROM opened o));

-- name: ConfirmOpen :many
-- Confirms open checkouts of carts that have not changed since and that nobody else is at: all that is in the cart is
-- bought. What is not among the rows has to be looked at by itself. The condition on state is worded so that no partial
-- index serves it: the planner takes those for empty and reads them from end to end.
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id,
        unnest(@providers::text[]) AS provider, unnest(@refs::text[]) AS ref, unnest(@amounts::bigint[]) AS amount,
        unnest(@events::text[]) AS event, unnest(@traceparents::text[]) AS traceparent),
locked AS MATERIALIZED (
    SELECT w.order_id, w.user_id, w.provider, w.ref, w.amount, w.event, w.traceparent, l.version
    FROM wanted w CROSS JOIN LATERAL (
        SELECT c.version FROM carts c WHERE c.user_id = w.user_id LIMIT 1 FOR UPDATE SKIP LOCKED) l),
done AS (
    UPDATE checkouts c SET state = 'confirmed', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM locked w
    WHERE c.order_id = w.order_id AND c.user_id = w.user_id AND c.cart_version = w.version AND c.state = ANY ('{open,-}'::text[])
    RETURNING c.order_id, c.user_id, c.cart_version, c.lines, c.total, c.currency, c.shipping_address, c.created_at,
        c.finished_at, w.provider, w.ref, w.amount, w.event, w.traceparent),
made AS (
    INSERT INTO orders (id, user_id, cart_version, status, lines, subtotal, total, currency, shipping_address, created_at,
        created_by, updated_at, updated_by, payment_provider, payment_ref, payment_amount, payment_status)
    SELECT d.order_id, d.user_id, d.cart_version, 'confirmed', d.lines, d.total, d.total, d.currency, d.shipping_address,
        d.created_at, d.user_id, d.finished_at, d.user_id, d.provider, d.ref, d.amount, 'captured'
    FROM done d),
emptied AS (
    DELETE FROM cart_items i WHERE i.user_id = ANY (ARRAY (SELECT d.user_id FROM done d))),
cart AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = d.order_id, last_order_at = NULL,
        updated_at = now(), updated_by = d.user_id
    FROM done d WHERE c.user_id = d.user_id),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'order.confirmed', d.order_id, d.event::jsonb, d.traceparent FROM done d)
SELECT d.order_id, d.finished_at FROM done d;

-- name: NoteAnswers :exec
-- MarkAnswered for many, as of the moments at which they were.
INSERT INTO answers (order_ids, moments) VALUES (@order_ids::text[], @moments::timestamptz[]);

-- name: ForgetAnswers :exec
-- Notes matter for as long as a checkout may take.
DELETE FROM answers WHERE noted_at < now() - interval '1 minute';

-- name: FailCheckouts :exec
WITH wanted AS (
    SELECT unnest(@order_ids::text[]) AS order_id, unnest(@user_ids::text[]) AS user_id,
        unnest(@reasons::text[]) AS reason, unnest(@shortages::text[]) AS shortage,
        unnest(@traceparents::text[]) AS traceparent),
done AS (
    UPDATE checkouts c SET state = 'failed', reason = w.reason, shortage = nullif(w.shortage, '')::jsonb,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM wanted w WHERE c.order_id = w.order_id AND c.user_id = w.user_id AND c.state = ANY ('{open,-}'::text[])
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
