-- name: ListOrders :many
-- Orders and pending checkouts of some shoppers, newest first, before a cursor ('' is the start); only_id, when set,
-- picks one, and then a failed checkout too.
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o
WHERE o.user_id = ANY (@user_ids::text[]) AND (@before::text = '' OR o.id < @before::text)
UNION ALL
SELECT c.order_id, c.user_id, 'pending'::text, c.total, c.total, c.currency, c.shipping_address, c.created_at,
    c.updated_at, c.lines
FROM checkouts c
WHERE c.state = 'open' AND c.user_id = ANY (@user_ids::text[]) AND (@before::text = '' OR c.order_id < @before::text)
ORDER BY id DESC LIMIT @max_rows;

-- name: OrderByID :many
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o WHERE o.id = @id::text AND o.user_id = ANY (@user_ids::text[])
UNION ALL
SELECT c.order_id, c.user_id, (CASE c.state WHEN 'open' THEN 'pending' ELSE 'failed' END)::text, c.total, c.total,
    c.currency, c.shipping_address, c.created_at, c.updated_at, c.lines
FROM checkouts c WHERE c.order_id = @id::text AND c.user_id = ANY (@user_ids::text[]) AND c.state <> 'confirmed';

-- name: CancelOrder :many
-- confirmed -> cancelled; a row when this call did it.
WITH gone AS (
    UPDATE orders SET status = 'cancelled', version = version + 1, updated_at = now(), updated_by = @actor::text,
        payment_status = CASE payment_status WHEN 'captured' THEN 'refund_due' ELSE payment_status END
    WHERE id = @id::text AND user_id = ANY (@user_ids::text[]) AND status = 'confirmed'
    RETURNING id, user_id, lines),
refund AS (
    UPDATE payments p SET status = 'refund_due', updated_at = now() FROM gone g WHERE p.order_id = g.id),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'order.cancelled', g.id, jsonb_build_object('order_id', g.id, 'user_id', g.user_id, 'product_ids',
        jsonb_path_query_array(g.lines, '$[*].product_id')), @traceparent::text
    FROM gone g)
SELECT g.id FROM gone g;

-- name: RecentOrders :many
-- For the administrator: the newest orders of a shard by whoever, or the one with the id given.
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o
WHERE @id::text = '' OR o.id = @id::text
ORDER BY o.id DESC LIMIT @max_rows;
