-- Cart edits by the batch: one transaction of RelaxCommit, EnsureCarts, LockCarts, the edits, ReadCarts. No shopper is in
-- it twice.

-- name: EnsureCarts :exec
INSERT INTO carts (user_id, created_by, updated_by)
SELECT u.id, u.id, u.id FROM (SELECT unnest(@user_ids::text[]) AS id) u
ON CONFLICT (user_id) DO NOTHING;

-- name: LockCarts :exec
SELECT version FROM carts WHERE user_id = ANY (@user_ids::text[]) ORDER BY user_id FOR UPDATE;

-- name: AddLines :many
WITH wanted AS (
    SELECT unnest(@user_ids::text[]) AS user_id, unnest(@ops::text[]) AS op, unnest(@product_ids::bigint[]) AS product_id,
        unnest(@skus::text[]) AS sku, unnest(@names::text[]) AS name, unnest(@quantities::bigint[]) AS quantity,
        unnest(@unit_prices::bigint[]) AS unit_price, unnest(@currencies::text[]) AS currency),
verdict AS MATERIALIZED (
    SELECT w.user_id, w.op, w.product_id, w.sku, w.name, w.quantity, w.unit_price, w.currency, CASE
        WHEN w.op <> '' AND w.op = ANY (cart.recent_ops) THEN 'seen'
        WHEN w.op LIKE '%/%' AND split_part(w.op, '/', 1) IN (SELECT split_part(o.op, '/', 1) FROM unnest(cart.recent_ops) AS o (op)) THEN 'other'
        WHEN present.lines > 0 AND cart.currency <> w.currency THEN 'currency'
        WHEN present.units + w.quantity > @max_quantity::bigint THEN 'quantity'
        WHEN present.others >= @max_lines::bigint THEN 'lines'
        ELSE 'ok' END AS status
    FROM wanted w
    CROSS JOIN LATERAL (SELECT c.recent_ops, c.currency FROM carts c WHERE c.user_id = w.user_id LIMIT 1) cart
    CROSS JOIN LATERAL (
        SELECT count(i.product_id) AS lines,
            coalesce(sum(i.quantity) FILTER (WHERE i.product_id = w.product_id), 0) AS units,
            count(i.product_id) FILTER (WHERE i.product_id <> w.product_id) AS others
        FROM cart_items i WHERE i.user_id = w.user_id) present),
line AS (
    INSERT INTO cart_items (user_id, product_id, sku, name, quantity, unit_price)
    SELECT v.user_id, v.product_id, v.sku, v.name, v.quantity, v.unit_price FROM verdict v WHERE v.status = 'ok'
    ON CONFLICT (user_id, product_id) DO UPDATE SET quantity = cart_items.quantity + excluded.quantity,
        sku = excluded.sku, name = excluded.name, unit_price = excluded.unit_price, updated_at = now()),
edit AS (
    UPDATE carts c SET version = c.version + 1, currency = v.currency, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN v.op = '' THEN c.recent_ops
            ELSE (c.recent_ops || v.op)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = v.user_id
    FROM verdict v WHERE c.user_id = v.user_id AND v.status = 'ok')
SELECT v.user_id::text AS user_id, v.status::text AS status FROM verdict v;

-- name: ReadCarts :many
SELECT c.user_id, c.version, c.currency, c.updated_at, c.last_order_id,
    (CASE WHEN c.last_order_at IS NOT NULL OR c.last_order_id = '' THEN c.last_order_at ELSE (
        SELECT a.moments[array_position(a.order_ids, c.last_order_id)] FROM answers a
        WHERE a.noted_at >= c.updated_at AND a.noted_at < c.updated_at + interval '2 seconds'
            AND c.last_order_id = ANY (a.order_ids) LIMIT 1) END)::timestamptz AS last_order_at,
    coalesce((SELECT jsonb_agg(jsonb_build_object('product_id', i.product_id, 'sku', i.sku, 'name', i.name,
        'quantity', i.quantity, 'unit_price', i.unit_price) ORDER BY i.created_at, i.product_id)
        FROM cart_items i WHERE i.user_id = c.user_id), '[]')::jsonb AS items
FROM carts c WHERE c.user_id = ANY (@user_ids::text[]);
