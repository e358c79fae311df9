-- Cart edits are sent as one pipelined, implicit transaction: RelaxCommit, EnsureCart, LockCart, the edit, ReadCart.
-- Each edit answers with what became of it: ok, seen (the op was applied before), other (it begins, up to a
-- slash, like one that was, and goes on differently), or the reason why not.

-- name: RelaxCommit :exec
SELECT set_config('synchronous_commit', 'off', true);

-- name: EnsureCart :exec
INSERT INTO carts (user_id, created_by, updated_by) VALUES (@user_id::text, @user_id::text, @user_id::text)
ON CONFLICT (user_id) DO NOTHING;

-- name: LockCart :exec
SELECT version FROM carts WHERE user_id = $1 FOR UPDATE;

-- name: AddLine :one
WITH cart AS (SELECT c.recent_ops, c.currency FROM carts c WHERE c.user_id = @user_id::text),
present AS (
    SELECT count(i.product_id) AS lines, coalesce(sum(i.quantity) FILTER (WHERE i.product_id = @product_id::bigint), 0) AS units,
        count(i.product_id) FILTER (WHERE i.product_id <> @product_id::bigint) AS others
    FROM cart_items i WHERE i.user_id = @user_id::text),
verdict AS (
    SELECT CASE
        WHEN @op::text <> '' AND @op::text = ANY (cart.recent_ops) THEN 'seen'
        WHEN @op::text LIKE '%/%' AND split_part(@op::text, '/', 1) IN (SELECT split_part(o.op, '/', 1) FROM unnest(cart.recent_ops) AS o (op)) THEN 'other'
        WHEN present.lines > 0 AND cart.currency <> @currency::text THEN 'currency'
        WHEN present.units + @quantity::bigint > @max_quantity::bigint THEN 'quantity'
        WHEN present.others >= @max_lines::bigint THEN 'lines'
        ELSE 'ok' END AS status
    FROM cart, present),
line AS (
    INSERT INTO cart_items (user_id, product_id, sku, name, quantity, unit_price)
    SELECT @user_id::text, @product_id::bigint, @sku::text, @name::text, @quantity::bigint, @unit_price::bigint
    FROM verdict WHERE status = 'ok'
    ON CONFLICT (user_id, product_id) DO UPDATE SET quantity = cart_items.quantity + excluded.quantity,
        sku = excluded.sku, name = excluded.name, unit_price = excluded.unit_price, updated_at = now()),
edit AS (
    UPDATE carts c SET version = c.version + 1, currency = @currency::text, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN @op::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || @op::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = @user_id::text
    FROM verdict WHERE c.user_id = @user_id::text AND verdict.status = 'ok')
SELECT status::text FROM verdict;

-- name: SetQuantity :one
WITH cart AS (SELECT c.recent_ops FROM carts c WHERE c.user_id = @user_id::text),
present AS (
    SELECT i.quantity FROM cart_items i WHERE i.user_id = @user_id::text AND i.product_id = @product_id::bigint),
verdict AS (
    SELECT CASE
        WHEN @op::text <> '' AND @op::text = ANY (cart.recent_ops) THEN 'seen'
        WHEN @op::text LIKE '%/%' AND split_part(@op::text, '/', 1) IN (SELECT split_part(o.op, '/', 1) FROM unnest(cart.recent_ops) AS o (op)) THEN 'other'
        WHEN NOT EXISTS (SELECT 1 FROM present) THEN 'missing'
        WHEN (SELECT p.quantity FROM present p) = @quantity::bigint THEN 'same'
        ELSE 'ok' END AS status
    FROM cart),
gone AS (
    DELETE FROM cart_items i USING verdict
    WHERE i.user_id = @user_id::text AND i.product_id = @product_id::bigint AND verdict.status = 'ok'
        AND @quantity::bigint = 0),
line AS (
    UPDATE cart_items i SET quantity = @quantity::bigint, updated_at = now() FROM verdict
    WHERE i.user_id = @user_id::text AND i.product_id = @product_id::bigint AND verdict.status = 'ok'
        AND @quantity::bigint > 0),
edit AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN @op::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || @op::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = @user_id::text
    FROM verdict WHERE c.user_id = @user_id::text AND verdict.status = 'ok')
SELECT status::text FROM verdict;

-- name: ClearCart :one
WITH verdict AS (
    SELECT CASE
        WHEN @op::text <> '' AND @op::text = ANY (c.recent_ops) THEN 'seen'
        WHEN @op::text LIKE '%/%' AND split_part(@op::text, '/', 1) IN (SELECT split_part(o.op, '/', 1) FROM unnest(c.recent_ops) AS o (op)) THEN 'other'
        WHEN NOT EXISTS (SELECT 1 FROM cart_items i WHERE i.user_id = @user_id::text) THEN 'same'
        ELSE 'ok' END AS status
    FROM carts c WHERE c.user_id = @user_id::text),
gone AS (
    DELETE FROM cart_items i USING verdict WHERE i.user_id = @user_id::text AND verdict.status = 'ok'),
edit AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN @op::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || @op::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = @user_id::text
    FROM verdict WHERE c.user_id = @user_id::text AND verdict.status = 'ok')
SELECT status::text FROM verdict;

-- name: RepriceCart :exec
WITH fresh AS (
    SELECT unnest(@product_ids::bigint[]) AS product_id, unnest(@skus::text[]) AS sku, unnest(@names::text[]) AS name,
        unnest(@unit_prices::bigint[]) AS unit_price),
line AS (
    UPDATE cart_items i SET sku = f.sku, name = f.name, unit_price = f.unit_price, updated_at = now() FROM fresh f
    WHERE i.user_id = @user_id::text AND i.product_id = f.product_id
        AND (i.sku, i.name, i.unit_price) IS DISTINCT FROM (f.sku, f.name, f.unit_price)
    RETURNING i.product_id)
UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL, updated_at = now(),
    active_hour = date_trunc('hour', now()), updated_by = @user_id::text
WHERE c.user_id = @user_id::text AND EXISTS (SELECT 1 FROM line);

-- name: ReadCart :one
-- When the buyer was told of the last order is in the cart, or among the notes of the moments after it was bought.
SELECT c.version, c.currency, c.updated_at, c.last_order_id,
    (CASE WHEN c.last_order_at IS NOT NULL OR c.last_order_id = '' THEN c.last_order_at ELSE (
        SELECT a.moments[array_position(a.order_ids, c.last_order_id)] FROM answers a
        WHERE a.noted_at >= c.updated_at AND a.noted_at < c.updated_at + interval '2 seconds'
            AND c.last_order_id = ANY (a.order_ids) LIMIT 1) END)::timestamptz AS last_order_at,
    coalesce((SELECT jsonb_agg(jsonb_build_object('product_id', i.product_id, 'sku', i.sku, 'name', i.name,
        'quantity', i.quantity, 'unit_price', i.unit_price) ORDER BY i.created_at, i.product_id)
        FROM cart_items i WHERE i.user_id = c.user_id), '[]')::jsonb AS items
FROM carts c WHERE c.user_id = $1;

-- name: ExportCart :exec
-- Takes the lines out of a guest's cart, whose row the transaction has locked.
WITH gone AS (DELETE FROM cart_items i WHERE i.user_id = @guest_id::text
    RETURNING i.product_id, i.sku, i.name, i.quantity, i.unit_price, i.created_at),
packed AS (
    SELECT jsonb_agg(jsonb_build_object('product_id', g.product_id, 'sku', g.sku, 'name', g.name,
        'quantity', g.quantity, 'unit_price', g.unit_price) ORDER BY g.created_at, g.product_id) AS lines
    FROM gone g),
edit AS (
    UPDATE carts c SET version = c.version + 1, updated_at = now(), updated_by = @user_id::text
    FROM packed WHERE c.user_id = @guest_id::text AND packed.lines IS NOT NULL
    RETURNING c.currency)
INSERT INTO cart_exports (guest_id, user_id, lines, currency)
SELECT @guest_id::text, @user_id::text, packed.lines, edit.currency FROM packed, edit;

-- name: CartExports :many
SELECT id, user_id, lines, currency FROM cart_exports WHERE guest_id = $1 ORDER BY id;

-- name: DropExport :exec
DELETE FROM cart_exports WHERE guest_id = $1 AND id = $2;

-- name: ImportCart :exec
-- Adds the lines of one export, once; the cart row is locked. Units over the limit of a line, lines over the limit of
-- the cart and lines in another currency than the cart's are dropped: a sign-in must not fail over them.
WITH fresh AS (
    INSERT INTO cart_imports (user_id, guest_id, export_id) VALUES (@user_id::text, @guest_id::text, @export_id::bigint)
    ON CONFLICT DO NOTHING RETURNING user_id),
present AS (SELECT i.product_id FROM cart_items i WHERE i.user_id = @user_id::text),
incoming AS (
    SELECT unnest(@product_ids::bigint[]) AS product_id, unnest(@skus::text[]) AS sku, unnest(@names::text[]) AS name,
        unnest(@quantities::bigint[]) AS quantity, unnest(@unit_prices::bigint[]) AS unit_price),
ranked AS (
    SELECT n.product_id, n.sku, n.name, n.quantity, n.unit_price, (p.product_id IS NULL) AS new,
        count(*) FILTER (WHERE p.product_id IS NULL) OVER (ORDER BY n.product_id) AS nth
    FROM incoming n LEFT JOIN present p ON p.product_id = n.product_id),
line AS (
    INSERT INTO cart_items (user_id, product_id, sku, name, quantity, unit_price)
    SELECT @user_id::text, r.product_id, r.sku, r.name, least(r.quantity, @max_quantity::bigint), r.unit_price
    FROM ranked r, fresh, carts c
    WHERE c.user_id = @user_id::text
        AND (c.currency IN ('', @currency::text) OR NOT EXISTS (SELECT 1 FROM present))
        AND (NOT r.new OR r.nth + (SELECT count(*) FROM present) <= @max_lines::bigint)
    ON CONFLICT (user_id, product_id) DO UPDATE SET
        quantity = least(cart_items.quantity + excluded.quantity, @max_quantity::bigint), sku = excluded.sku,
        name = excluded.name, unit_price = excluded.unit_price, updated_at = now()
    RETURNING product_id)
UPDATE carts c SET version = c.version + 1, currency = @currency::text, last_order_id = '', last_order_at = NULL,
    updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = @user_id::text
WHERE c.user_id = @user_id::text AND EXISTS (SELECT 1 FROM line);
