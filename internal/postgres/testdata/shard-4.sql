-- name: AuditCharges
SELECT key, amount, currency, status, (updated_at > now() - $1::interval)::boolean AS young
FROM test_charges WHERE key = ANY ($2::text[])

-- name: AuditCheckouts
SELECT order_id, user_id, state, total, (updated_at > now() - $1::interval)::boolean AS young,
    (expires_at < now() - $1::interval)::boolean AS overdue
FROM checkouts WHERE order_id = ANY ($2::text[])

-- name: AuditKeys
SELECT x.key::text AS key, string_agg(x.tbl, ', ' ORDER BY x.tbl)::text AS tables FROM (
    (SELECT u.id AS key, 'users' AS tbl FROM users u WHERE u.id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT e.email, 'user_emails' FROM user_emails e WHERE e.email > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT DISTINCT n.user_id, 'sessions' FROM sessions n WHERE n.user_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT g.guest_id, 'guest_claims' FROM guest_claims g WHERE g.guest_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT DISTINCT h.user_id, 'user_guests' FROM user_guests h WHERE h.user_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT c.user_id, 'carts' FROM carts c WHERE c.user_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT DISTINCT i.user_id, 'cart_items' FROM cart_items i WHERE i.user_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION ALL (SELECT DISTINCT k.user_id, 'idempotency_keys' FROM idempotency_keys k WHERE k.user_id > $1::text ORDER BY 1 LIMIT $2::int)
    ) AS x
GROUP BY x.key ORDER BY x.key LIMIT $2::int

-- name: AuditOpen
SELECT count(*)::bigint FROM checkouts WHERE state = 'open'

-- name: AuditOrderIDs
SELECT x.id::text AS id FROM (
    (SELECT c.order_id AS id FROM checkouts c WHERE c.order_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION (SELECT o.id FROM orders o WHERE o.id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION (SELECT p.order_id FROM payments p WHERE p.order_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION (SELECT DISTINCT r.order_id FROM reservations r WHERE r.order_id > $1::text ORDER BY 1 LIMIT $2::int)
    UNION (SELECT t.key FROM test_charges t WHERE t.key > $1::text ORDER BY 1 LIMIT $2::int)) AS x
ORDER BY x.id LIMIT $2::int

-- name: AuditOrders
SELECT o.id, o.user_id, o.status, o.subtotal, o.total, o.currency,
    (o.updated_at > now() - $1::interval)::boolean AS young, o.lines AS items
FROM orders o WHERE o.id = ANY ($2::text[])

-- name: AuditOrphans
SELECT DISTINCT r.product_id FROM reservations r
WHERE r.state IN ('held', 'committed') AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.product_id = r.product_id)
LIMIT 100

-- name: AuditOutbox
SELECT count(*)::bigint AS waiting, count(*) FILTER (WHERE created_at < now() - $1::interval)::bigint AS old,
    coalesce(min(created_at)::text, '')::text AS oldest
FROM outbox

-- name: AuditPayments
SELECT order_id, user_id, provider, amount, currency, status FROM payments WHERE order_id = ANY ($1::text[])

-- name: AuditPending
SELECT DISTINCT key FROM outbox WHERE key = ANY ($1::text[])

-- name: AuditReservations
SELECT order_id, product_id, quantity, state, (updated_at > now() - $1::interval)::boolean AS young,
    (expires_at < now() - $1::interval)::boolean AS overdue
FROM reservations WHERE order_id = ANY ($2::text[])

-- name: AuditStock
WITH page AS (
    SELECT s.product_id, s.available, s.received, (s.updated_at > now() - $1::interval)::boolean AS young
    FROM stock s
    WHERE s.product_id > $2::bigint AND (cardinality($3::bigint[]) = 0 OR s.product_id = ANY ($3::bigint[]))
    ORDER BY s.product_id LIMIT $4),
taken AS (
    SELECT r.product_id, sum(r.quantity) AS units FROM reservations r
    WHERE r.state IN ('held', 'committed') AND r.product_id IN (SELECT page.product_id FROM page) GROUP BY r.product_id)
SELECT p.product_id, p.available, p.received, p.young, coalesce(t.units, 0)::bigint AS taken
FROM page p LEFT JOIN taken t ON t.product_id = p.product_id ORDER BY p.product_id

-- name: AuditTwiceBought
SELECT user_id, cart_version, count(*) AS orders FROM orders GROUP BY user_id, cart_version HAVING count(*) > 1 LIMIT 100

-- name: AddLines
WITH wanted AS (
    SELECT unnest($1::text[]) AS user_id, unnest($2::text[]) AS op, unnest($3::bigint[]) AS product_id,
        unnest($4::text[]) AS sku, unnest($5::text[]) AS name, unnest($6::bigint[]) AS quantity,
        unnest($7::bigint[]) AS unit_price, unnest($8::text[]) AS currency),
verdict AS MATERIALIZED (
    SELECT w.user_id, w.op, w.product_id, w.sku, w.name, w.quantity, w.unit_price, w.currency, CASE
        WHEN w.op <> '' AND w.op = ANY (cart.recent_ops) THEN 'seen'
        WHEN present.lines > 0 AND cart.currency <> w.currency THEN 'currency'
        WHEN present.units + w.quantity > $9::bigint THEN 'quantity'
        WHEN present.others >= $10::bigint THEN 'lines'
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
SELECT v.user_id::text AS user_id, v.status::text AS status FROM verdict v

-- name: EnsureCarts
INSERT INTO carts (user_id, created_by, updated_by)
SELECT u.id, u.id, u.id FROM (SELECT unnest($1::text[]) AS id) u
ON CONFLICT (user_id) DO NOTHING

-- name: LockCarts
SELECT version FROM carts WHERE user_id = ANY ($1::text[]) ORDER BY user_id FOR UPDATE

-- name: ReadCarts
SELECT c.user_id, c.version, c.currency, c.updated_at, c.last_order_id, c.last_order_at,
    coalesce((SELECT jsonb_agg(jsonb_build_object('product_id', i.product_id, 'sku', i.sku, 'name', i.name,
        'quantity', i.quantity, 'unit_price', i.unit_price) ORDER BY i.created_at, i.product_id)
        FROM cart_items i WHERE i.user_id = c.user_id), '[]')::jsonb AS items
FROM carts c WHERE c.user_id = ANY ($1::text[])

-- name: CheckoutsByID
SELECT order_id, user_id, cart_version, state, reason, shortage, lines, total, currency, payment, shipping_address, payment_unknown, expires_at, created_at, updated_at, finished_at FROM checkouts WHERE order_id = ANY ($1::text[])

-- name: ConfirmOpen
WITH wanted AS (
    SELECT unnest($1::text[]) AS order_id, unnest($2::text[]) AS user_id,
        unnest($3::text[]) AS provider, unnest($4::text[]) AS ref, unnest($5::bigint[]) AS amount,
        unnest($6::text[]) AS event, unnest($7::text[]) AS traceparent),
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
        created_by, updated_at, updated_by)
    SELECT d.order_id, d.user_id, d.cart_version, 'confirmed', d.lines, d.total, d.total, d.currency, d.shipping_address,
        d.created_at, d.user_id, d.finished_at, d.user_id
    FROM done d),
paid AS (
    INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status)
    SELECT d.order_id, d.user_id, d.provider, d.ref, d.amount, d.currency, 'captured' FROM done d),
emptied AS (
    DELETE FROM cart_items i WHERE i.user_id = ANY (ARRAY (SELECT d.user_id FROM done d))),
cart AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = d.order_id, last_order_at = NULL,
        updated_at = now(), updated_by = d.user_id
    FROM done d WHERE c.user_id = d.user_id),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'order.confirmed', d.order_id, d.event::jsonb, d.traceparent FROM done d)
SELECT d.order_id, d.finished_at FROM done d

-- name: FailCheckouts
WITH wanted AS (
    SELECT unnest($1::text[]) AS order_id, unnest($2::text[]) AS user_id,
        unnest($3::text[]) AS reason, unnest($4::text[]) AS shortage,
        unnest($5::text[]) AS traceparent),
done AS (
    UPDATE checkouts c SET state = 'failed', reason = w.reason, shortage = nullif(w.shortage, '')::jsonb,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM wanted w WHERE c.order_id = w.order_id AND c.user_id = w.user_id AND c.state = ANY ('{open,-}'::text[])
    RETURNING c.order_id, c.user_id, c.lines, w.traceparent)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'checkout.failed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), d.traceparent
FROM done d

-- name: FindKeys
WITH wanted AS (SELECT unnest($1::text[]) AS user_id, unnest($2::text[]) AS key)
SELECT w.user_id::text AS user_id, w.key::text AS key, b.order_id::text AS order_id, b.hash::bytea AS hash
FROM wanted w CROSS JOIN LATERAL (
    SELECT k.order_id, k.hash FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
    WHERE k.user_id = w.user_id AND k.key = w.key AND k.created_at > now() - interval '24 hours'
        AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable') LIMIT 1) b

-- name: MarkManyAnswered
UPDATE carts c SET last_order_at = w.at
FROM (SELECT unnest($1::text[]) AS user_id, unnest($2::text[]) AS order_id, unnest($3::timestamptz[]) AS at) w
WHERE c.user_id = w.user_id AND c.last_order_id = w.order_id AND c.last_order_at IS NULL

-- name: OpenCarts
WITH wanted AS (
    SELECT unnest($1::text[]) AS order_id, unnest($2::text[]) AS user_id, unnest($3::text[]) AS payment,
        unnest($4::text[]) AS address, unnest($5::timestamptz[]) AS expires_at,
        unnest($6::timestamptz[]) AS created_at, unnest($7::text[]) AS key, unnest($8::bytea[]) AS hash),
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
FROM ready r WHERE r.order_id = ANY (ARRAY (SELECT o.order_id FROM opened o))

-- name: RecordCharges
WITH fresh AS (
    INSERT INTO test_charges (key, ref, amount, currency, status)
    SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), unnest($4::text[]),
        unnest($5::text[])
    ON CONFLICT (key) DO UPDATE SET updated_at = test_charges.updated_at
    RETURNING key, ref, amount, currency, status)
SELECT f.key, f.ref, f.amount, f.currency, f.status FROM fresh f

-- name: RefundCharges
INSERT INTO test_charges AS t (key, ref, amount, currency, status)
SELECT unnest($1::text[]), unnest($2::text[]), 0, '', 'cancelled'
ON CONFLICT (key) DO UPDATE SET updated_at = now(),
    status = CASE t.status WHEN 'captured' THEN 'refunded' ELSE t.status END
RETURNING key, ref, amount, currency, status

-- name: CommitMany
WITH wanted AS (
    SELECT unnest($1::text[]) AS order_id, unnest($2::bigint[]) AS product_id),
sold AS (
    UPDATE reservations r SET state = 'committed', updated_at = now()
    FROM wanted w WHERE r.order_id = w.order_id AND r.product_id = w.product_id AND r.state = 'held'
    RETURNING r.order_id, r.product_id)
SELECT s.order_id::text AS order_id, s.product_id::bigint AS product_id, 'committed'::text AS state FROM sold s
UNION ALL
SELECT w.order_id::text, w.product_id::bigint, r.state::text
FROM wanted w CROSS JOIN LATERAL (
    SELECT x.state FROM reservations x
    WHERE x.order_id = w.order_id AND x.product_id = w.product_id AND x.state <> 'held' LIMIT 1) r

-- name: GiveBackMany
WITH wanted AS (
    SELECT unnest($2::text[]) AS order_id, unnest($3::bigint[]) AS product_id,
        unnest($4::text[]) AS state),
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
    'level_version', g.level_version), $1::text
FROM given g WHERE availability_class(g.available) <> availability_class(g.was)

-- name: HeldBefore
SELECT r.order_id, r.product_id, r.state FROM reservations r
WHERE r.order_id = ANY ($1::text[]) AND r.product_id = ANY ($2::bigint[])

-- name: Hold
WITH held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT unnest($2::text[]), unnest($3::bigint[]), unnest($4::text[]),
        unnest($5::bigint[]), 'held', unnest($6::timestamptz[])
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
    'level_version', t.level_version), $1::text
FROM taken t WHERE availability_class(t.available) <> availability_class(t.was)

-- name: ReserveAll
WITH wanted AS (
    SELECT unnest($1::text[]) AS order_id, unnest($2::bigint[]) AS product_id,
        unnest($3::text[]) AS user_id, unnest($4::bigint[]) AS quantity,
        unnest($5::timestamptz[]) AS expires_at),
totals AS MATERIALIZED (SELECT unnest($6::bigint[]) AS product_id, unnest($7::bigint[]) AS units),
verdict AS MATERIALIZED (
    SELECT (SELECT count(*) FROM totals t CROSS JOIN LATERAL (
                SELECT s.available FROM stock s WHERE s.product_id = t.product_id LIMIT 1 FOR UPDATE) k
            WHERE k.available >= t.units AND availability_class(k.available) = availability_class(k.available - t.units))
            = cardinality($6::bigint[])
        AND NOT EXISTS (SELECT 1 FROM reservations r WHERE r.order_id = ANY ($8::text[])) AS clear),
held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT w.order_id, w.product_id, w.user_id, w.quantity, 'held', w.expires_at
    FROM wanted w, verdict v WHERE v.clear),
taken AS (
    UPDATE stock s SET available = s.available - t.units, updated_at = now(), updated_by = 'checkout'
    FROM totals t, verdict v WHERE s.product_id = t.product_id AND v.clear)
SELECT v.clear::boolean AS clear FROM verdict v

-- name: AddLine
WITH cart AS (SELECT c.recent_ops, c.currency FROM carts c WHERE c.user_id = $1::text),
present AS (
    SELECT count(i.product_id) AS lines, coalesce(sum(i.quantity) FILTER (WHERE i.product_id = $2::bigint), 0) AS units,
        count(i.product_id) FILTER (WHERE i.product_id <> $2::bigint) AS others
    FROM cart_items i WHERE i.user_id = $1::text),
verdict AS (
    SELECT CASE
        WHEN $3::text <> '' AND $3::text = ANY (cart.recent_ops) THEN 'seen'
        WHEN present.lines > 0 AND cart.currency <> $4::text THEN 'currency'
        WHEN present.units + $5::bigint > $6::bigint THEN 'quantity'
        WHEN present.others >= $7::bigint THEN 'lines'
        ELSE 'ok' END AS status
    FROM cart, present),
line AS (
    INSERT INTO cart_items (user_id, product_id, sku, name, quantity, unit_price)
    SELECT $1::text, $2::bigint, $8::text, $9::text, $5::bigint, $10::bigint
    FROM verdict WHERE status = 'ok'
    ON CONFLICT (user_id, product_id) DO UPDATE SET quantity = cart_items.quantity + excluded.quantity,
        sku = excluded.sku, name = excluded.name, unit_price = excluded.unit_price, updated_at = now()),
edit AS (
    UPDATE carts c SET version = c.version + 1, currency = $4::text, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN $3::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || $3::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = $1::text
    FROM verdict WHERE c.user_id = $1::text AND verdict.status = 'ok')
SELECT status::text FROM verdict

-- name: CartExports
SELECT id, user_id, lines, currency FROM cart_exports WHERE guest_id = $1 ORDER BY id

-- name: ClearCart
WITH verdict AS (
    SELECT CASE
        WHEN $1::text <> '' AND $1::text = ANY (c.recent_ops) THEN 'seen'
        WHEN NOT EXISTS (SELECT 1 FROM cart_items i WHERE i.user_id = $2::text) THEN 'same'
        ELSE 'ok' END AS status
    FROM carts c WHERE c.user_id = $2::text),
gone AS (
    DELETE FROM cart_items i USING verdict WHERE i.user_id = $2::text AND verdict.status = 'ok'),
edit AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN $1::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || $1::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = $2::text
    FROM verdict WHERE c.user_id = $2::text AND verdict.status = 'ok')
SELECT status::text FROM verdict

-- name: DropExport
DELETE FROM cart_exports WHERE guest_id = $1 AND id = $2

-- name: EnsureCart
INSERT INTO carts (user_id, created_by, updated_by) VALUES ($1::text, $1::text, $1::text)
ON CONFLICT (user_id) DO NOTHING

-- name: ExportCart
WITH gone AS (DELETE FROM cart_items i WHERE i.user_id = $1::text
    RETURNING i.product_id, i.sku, i.name, i.quantity, i.unit_price, i.created_at),
packed AS (
    SELECT jsonb_agg(jsonb_build_object('product_id', g.product_id, 'sku', g.sku, 'name', g.name,
        'quantity', g.quantity, 'unit_price', g.unit_price) ORDER BY g.created_at, g.product_id) AS lines
    FROM gone g),
edit AS (
    UPDATE carts c SET version = c.version + 1, updated_at = now(), updated_by = $2::text
    FROM packed WHERE c.user_id = $1::text AND packed.lines IS NOT NULL
    RETURNING c.currency)
INSERT INTO cart_exports (guest_id, user_id, lines, currency)
SELECT $1::text, $2::text, packed.lines, edit.currency FROM packed, edit

-- name: ImportCart
WITH fresh AS (
    INSERT INTO cart_imports (user_id, guest_id, export_id) VALUES ($2::text, $3::text, $4::bigint)
    ON CONFLICT DO NOTHING RETURNING user_id),
present AS (SELECT i.product_id FROM cart_items i WHERE i.user_id = $2::text),
incoming AS (
    SELECT unnest($5::bigint[]) AS product_id, unnest($6::text[]) AS sku, unnest($7::text[]) AS name,
        unnest($8::bigint[]) AS quantity, unnest($9::bigint[]) AS unit_price),
ranked AS (
    SELECT n.product_id, n.sku, n.name, n.quantity, n.unit_price, (p.product_id IS NULL) AS new,
        count(*) FILTER (WHERE p.product_id IS NULL) OVER (ORDER BY n.product_id) AS nth
    FROM incoming n LEFT JOIN present p ON p.product_id = n.product_id),
line AS (
    INSERT INTO cart_items (user_id, product_id, sku, name, quantity, unit_price)
    SELECT $2::text, r.product_id, r.sku, r.name, least(r.quantity, $10::bigint), r.unit_price
    FROM ranked r, fresh, carts c
    WHERE c.user_id = $2::text
        AND (c.currency IN ('', $1::text) OR NOT EXISTS (SELECT 1 FROM present))
        AND (NOT r.new OR r.nth + (SELECT count(*) FROM present) <= $11::bigint)
    ON CONFLICT (user_id, product_id) DO UPDATE SET
        quantity = least(cart_items.quantity + excluded.quantity, $10::bigint), sku = excluded.sku,
        name = excluded.name, unit_price = excluded.unit_price, updated_at = now()
    RETURNING product_id)
UPDATE carts c SET version = c.version + 1, currency = $1::text, last_order_id = '', last_order_at = NULL,
    updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = $2::text
WHERE c.user_id = $2::text AND EXISTS (SELECT 1 FROM line)

-- name: LockCart
SELECT version FROM carts WHERE user_id = $1 FOR UPDATE

-- name: ReadCart
SELECT c.version, c.currency, c.updated_at, c.last_order_id, c.last_order_at,
    coalesce((SELECT jsonb_agg(jsonb_build_object('product_id', i.product_id, 'sku', i.sku, 'name', i.name,
        'quantity', i.quantity, 'unit_price', i.unit_price) ORDER BY i.created_at, i.product_id)
        FROM cart_items i WHERE i.user_id = c.user_id), '[]')::jsonb AS items
FROM carts c WHERE c.user_id = $1

-- name: RelaxCommit
SELECT set_config('synchronous_commit', 'off', true)

-- name: RepriceCart
WITH fresh AS (
    SELECT unnest($2::bigint[]) AS product_id, unnest($3::text[]) AS sku, unnest($4::text[]) AS name,
        unnest($5::bigint[]) AS unit_price),
line AS (
    UPDATE cart_items i SET sku = f.sku, name = f.name, unit_price = f.unit_price, updated_at = now() FROM fresh f
    WHERE i.user_id = $1::text AND i.product_id = f.product_id
        AND (i.sku, i.name, i.unit_price) IS DISTINCT FROM (f.sku, f.name, f.unit_price)
    RETURNING i.product_id)
UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL, updated_at = now(),
    active_hour = date_trunc('hour', now()), updated_by = $1::text
WHERE c.user_id = $1::text AND EXISTS (SELECT 1 FROM line)

-- name: SetQuantity
WITH cart AS (SELECT c.recent_ops FROM carts c WHERE c.user_id = $1::text),
present AS (
    SELECT i.quantity FROM cart_items i WHERE i.user_id = $1::text AND i.product_id = $2::bigint),
verdict AS (
    SELECT CASE
        WHEN $3::text <> '' AND $3::text = ANY (cart.recent_ops) THEN 'seen'
        WHEN NOT EXISTS (SELECT 1 FROM present) THEN 'missing'
        WHEN (SELECT p.quantity FROM present p) = $4::bigint THEN 'same'
        ELSE 'ok' END AS status
    FROM cart),
gone AS (
    DELETE FROM cart_items i USING verdict
    WHERE i.user_id = $1::text AND i.product_id = $2::bigint AND verdict.status = 'ok'
        AND $4::bigint = 0),
line AS (
    UPDATE cart_items i SET quantity = $4::bigint, updated_at = now() FROM verdict
    WHERE i.user_id = $1::text AND i.product_id = $2::bigint AND verdict.status = 'ok'
        AND $4::bigint > 0),
edit AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = '', last_order_at = NULL,
        recent_ops = CASE WHEN $3::text = '' THEN c.recent_ops
            ELSE (c.recent_ops || $3::text)[greatest(cardinality(c.recent_ops) - 14, 1):] END,
        updated_at = now(), active_hour = date_trunc('hour', now()), updated_by = $1::text
    FROM verdict WHERE c.user_id = $1::text AND verdict.status = 'ok')
SELECT status::text FROM verdict

-- name: CheckoutByID
SELECT order_id, user_id, cart_version, state, reason, shortage, lines, total, currency, payment, shipping_address, payment_unknown, expires_at, created_at, updated_at, finished_at FROM checkouts WHERE order_id = $1 AND user_id = $2

-- name: CheckoutStates
SELECT order_id, state, coalesce(finished_at < now() - interval '24 hours', false)::boolean AS old
FROM checkouts WHERE order_id = ANY ($1::text[])

-- name: ConfirmCheckout
WITH done AS (
    UPDATE checkouts SET state = 'confirmed', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE order_id = $2::text AND user_id = $3::text AND state = 'open'
    RETURNING order_id, user_id, cart_version, lines, total, currency, shipping_address, created_at, finished_at),
bought AS (
    SELECT (l.line ->> 'product_id')::bigint AS product_id, (l.line ->> 'quantity')::bigint AS quantity
    FROM done CROSS JOIN LATERAL jsonb_array_elements(done.lines) AS l(line)),
made AS (
    INSERT INTO orders (id, user_id, cart_version, status, lines, subtotal, total, currency, shipping_address, created_at,
        created_by, updated_at, updated_by)
    SELECT d.order_id, d.user_id, d.cart_version, 'confirmed', d.lines, d.total, d.total, d.currency, d.shipping_address,
        d.created_at, d.user_id, d.finished_at, d.user_id
    FROM done d),
paid AS (
    INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status)
    SELECT d.order_id, d.user_id, $4::text, $5::text, $6::bigint, d.currency, 'captured' FROM done d),
emptied AS (
    DELETE FROM cart_items i USING bought b
    WHERE i.user_id = $3::text AND i.product_id = b.product_id AND i.quantity <= b.quantity),
reduced AS (
    UPDATE cart_items i SET quantity = i.quantity - b.quantity, updated_at = now() FROM bought b
    WHERE i.user_id = $3::text AND i.product_id = b.product_id AND i.quantity > b.quantity),
cart AS (
    UPDATE carts c SET version = c.version + 1, last_order_id = d.order_id, last_order_at = NULL,
        updated_at = now(), updated_by = d.user_id
    FROM done d WHERE c.user_id = d.user_id)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'order.confirmed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), $1::text
FROM done d

-- name: ExpiredCheckouts
SELECT order_id, user_id, cart_version, state, reason, shortage, lines, total, currency, payment, shipping_address, payment_unknown, expires_at, created_at, updated_at, finished_at FROM checkouts WHERE state = 'open' AND expires_at < now() ORDER BY expires_at LIMIT $1

-- name: FailCheckout
WITH done AS (
    UPDATE checkouts SET state = 'failed', reason = $2::text, shortage = $3::jsonb,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE order_id = $4::text AND user_id = $5::text AND state = 'open'
    RETURNING order_id, user_id, lines)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'checkout.failed', d.order_id, jsonb_build_object('order_id', d.order_id, 'user_id', d.user_id,
    'product_ids', jsonb_path_query_array(d.lines, '$[*].product_id')), $1::text
FROM done d

-- name: FindKey
SELECT k.order_id, k.hash FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
WHERE k.user_id = $1 AND k.key = $2 AND k.created_at > now() - interval '24 hours'
    AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable')

-- name: MarkAnswered
UPDATE carts SET last_order_at = clock_timestamp()
WHERE user_id = $1::text AND last_order_id = $2::text AND last_order_at IS NULL

-- name: MarkPaymentUnknown
UPDATE checkouts SET payment_unknown = true, updated_at = now() WHERE order_id = $1 AND user_id = $2 AND state = 'open'

-- name: OpenCheckout
WITH bound AS (
    SELECT k.order_id, (k.hash <> $1::bytea) AS mismatch
    FROM idempotency_keys k JOIN checkouts c ON c.order_id = k.order_id
    WHERE k.user_id = $2::text AND k.key = $3::text AND k.created_at > now() - interval '24 hours'
        AND NOT (c.state = 'failed' AND c.reason = 'temporarily-unavailable')),
joined AS (
    SELECT c.order_id FROM checkouts c
    WHERE c.user_id = $2::text AND c.cart_version = $4::bigint AND c.state = 'open'
        AND NOT EXISTS (SELECT 1 FROM bound)
    UNION ALL
    SELECT o.id FROM orders o
    WHERE o.user_id = $2::text AND o.cart_version = $4::bigint AND NOT EXISTS (SELECT 1 FROM bound)),
busy AS (
    SELECT c.order_id FROM checkouts c
    WHERE c.user_id = $2::text AND c.state = 'open'
        AND NOT EXISTS (SELECT 1 FROM bound) AND NOT EXISTS (SELECT 1 FROM joined)
    LIMIT 1),
opened AS (
    INSERT INTO checkouts (order_id, user_id, cart_version, state, lines, total, currency, payment, shipping_address,
        expires_at, created_at)
    SELECT $5::text, $2::text, $4::bigint, 'open', $6::jsonb, $7::bigint,
        $8::text, $9::jsonb, $10::jsonb, $11::timestamptz,
        $12::timestamptz
    FROM carts WHERE carts.user_id = $2::text AND carts.version = $4::bigint
        AND NOT EXISTS (SELECT 1 FROM bound) AND NOT EXISTS (SELECT 1 FROM joined) AND NOT EXISTS (SELECT 1 FROM busy)
    RETURNING order_id),
chosen AS (
    SELECT b.order_id, b.mismatch FROM bound b
    UNION ALL SELECT j.order_id, false FROM joined j
    UNION ALL SELECT o.order_id, false FROM opened o),
keyed AS (
    INSERT INTO idempotency_keys (user_id, key, hash, order_id)
    SELECT $2::text, $3::text, $1::bytea, c.order_id FROM chosen c
    WHERE $3::text <> '' AND NOT EXISTS (SELECT 1 FROM bound)
    ON CONFLICT (user_id, key) DO UPDATE SET hash = excluded.hash, order_id = excluded.order_id, created_at = now())
SELECT c.order_id::text AS order_id, c.mismatch::boolean AS mismatch, false AS busy FROM chosen c
UNION ALL SELECT b.order_id, false, true FROM busy b

-- name: CancelOrder
WITH gone AS (
    UPDATE orders SET status = 'cancelled', version = version + 1, updated_at = now(), updated_by = $1::text
    WHERE id = $2::text AND user_id = ANY ($3::text[]) AND status = 'confirmed'
    RETURNING id, user_id, lines),
refund AS (
    UPDATE payments p SET status = 'refund_due', updated_at = now() FROM gone g WHERE p.order_id = g.id),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'order.cancelled', g.id, jsonb_build_object('order_id', g.id, 'user_id', g.user_id, 'product_ids',
        jsonb_path_query_array(g.lines, '$[*].product_id')), $4::text
    FROM gone g)
SELECT g.id FROM gone g

-- name: ListOrders
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o
WHERE o.user_id = ANY ($2::text[]) AND ($3::text = '' OR o.id < $3::text)
UNION ALL
SELECT c.order_id, c.user_id, 'pending'::text, c.total, c.total, c.currency, c.shipping_address, c.created_at,
    c.updated_at, c.lines
FROM checkouts c
WHERE c.state = 'open' AND c.user_id = ANY ($2::text[]) AND ($3::text = '' OR c.order_id < $3::text)
ORDER BY id DESC LIMIT $1

-- name: OrderByID
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o WHERE o.id = $1::text AND o.user_id = ANY ($2::text[])
UNION ALL
SELECT c.order_id, c.user_id, (CASE c.state WHEN 'open' THEN 'pending' ELSE 'failed' END)::text, c.total, c.total,
    c.currency, c.shipping_address, c.created_at, c.updated_at, c.lines
FROM checkouts c WHERE c.order_id = $1::text AND c.user_id = ANY ($2::text[]) AND c.state <> 'confirmed'

-- name: RecentOrders
SELECT o.id, o.user_id, o.status::text AS status, o.subtotal, o.total, o.currency, o.shipping_address, o.created_at,
    o.updated_at, o.lines AS items
FROM orders o
WHERE $1::text = '' OR o.id = $1::text
ORDER BY o.id DESC LIMIT $2

-- name: Available
SELECT product_id, available FROM stock WHERE product_id = ANY ($1::bigint[])

-- name: CommitReservations
WITH sold AS (
    UPDATE reservations r SET state = 'committed', updated_at = now()
    WHERE r.order_id = $1::text AND r.product_id = ANY ($2::bigint[]) AND r.state = 'held'
    RETURNING r.product_id, r.state)
SELECT r.product_id, coalesce(s.state, r.state)::text AS state
FROM reservations r LEFT JOIN sold s ON s.product_id = r.product_id
WHERE r.order_id = $1::text AND r.product_id = ANY ($2::bigint[])

-- name: DropTombstones
DELETE FROM reservations WHERE state = 'released' AND order_id = ANY ($1::text[])

-- name: ExpiredReservations
SELECT order_id, product_id FROM reservations WHERE state = 'held' AND expires_at < now()
ORDER BY expires_at LIMIT $1

-- name: GiveBack
WITH wanted AS (SELECT unnest($2::bigint[]) AS product_id),
moved AS (
    UPDATE reservations r SET state = $3::text, updated_at = now() FROM wanted w
    WHERE r.order_id = $4::text AND r.product_id = w.product_id AND r.state = ANY ($5::text[])
    RETURNING r.product_id, r.quantity),
stone AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT $4::text, w.product_id, '', 0, 'released', now() FROM wanted w WHERE $6::boolean
    ORDER BY w.product_id
    ON CONFLICT DO NOTHING),
given AS (
    UPDATE stock s SET available = s.available + m.quantity, updated_at = now(), updated_by = $7::text,
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available + m.quantity))::int
    FROM moved m WHERE s.product_id = m.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available - m.quantity AS was)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', g.product_id::text, jsonb_build_object('product_id', g.product_id, 'available', g.available,
    'level_version', g.level_version), $1::text
FROM given g WHERE availability_class(g.available) <> availability_class(g.was)

-- name: LockStock
SELECT product_id FROM stock WHERE product_id = ANY ($1::bigint[]) ORDER BY product_id FOR UPDATE

-- name: OldTombstones
SELECT order_id, product_id FROM reservations
WHERE state = 'released' AND updated_at < now() - interval '24 hours'
ORDER BY updated_at LIMIT $1

-- name: Reserve
WITH wanted AS (
    SELECT unnest($1::bigint[]) AS product_id, unnest($2::bigint[]) AS quantity),
seen AS (
    SELECT w.product_id, w.quantity, r.state, coalesce(s.available, 0) AS available
    FROM wanted w LEFT JOIN stock s ON s.product_id = w.product_id
        LEFT JOIN reservations r ON r.order_id = $3::text AND r.product_id = w.product_id),
held AS (
    INSERT INTO reservations (order_id, product_id, user_id, quantity, state, expires_at)
    SELECT $3::text, n.product_id, $4::text, n.quantity, 'held', $5::timestamptz
    FROM seen n
    WHERE n.state IS NULL AND NOT EXISTS (
        SELECT 1 FROM seen x
        WHERE x.state IN ('released', 'returned') OR (x.state IS NULL AND x.available < x.quantity))
    ORDER BY n.product_id
    ON CONFLICT DO NOTHING
    RETURNING product_id, quantity),
taken AS (
    UPDATE stock s SET available = s.available - h.quantity, updated_at = now(), updated_by = $4::text,
        level_version = s.level_version
            + (availability_class(s.available) <> availability_class(s.available - h.quantity))::int
    FROM held h WHERE s.product_id = h.product_id
    RETURNING s.product_id, s.available, s.level_version, s.available + h.quantity AS was),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'stock.level', t.product_id::text, jsonb_build_object('product_id', t.product_id, 'available', t.available,
        'level_version', t.level_version), $6::text
    FROM taken t WHERE availability_class(t.available) <> availability_class(t.was))
SELECT n.product_id::bigint AS product_id, n.quantity::bigint AS quantity, coalesce(n.state, '')::text AS before,
    n.available::bigint AS available, (h.product_id IS NOT NULL)::boolean AS held
FROM seen n LEFT JOIN held h ON h.product_id = n.product_id
ORDER BY n.product_id

-- name: SeedStock
INSERT INTO stock (product_id, available, received, created_by, updated_by)
SELECT s.product_id, s.available, s.available, $1::text, $1::text
FROM (SELECT unnest($2::bigint[]) AS product_id, unnest($3::bigint[]) AS available) s
ORDER BY s.product_id
ON CONFLICT (product_id) DO NOTHING

-- name: SetAvailable
WITH now_set AS (
    INSERT INTO stock (product_id, available, received, level_version, created_by, updated_by)
    VALUES ($2::bigint, $3::bigint, $3::bigint, 1, $4::text, $4::text)
    ON CONFLICT (product_id) DO UPDATE SET available = excluded.available,
        received = stock.received + excluded.available - stock.available, level_version = stock.level_version + 1,
        updated_at = now(), updated_by = excluded.updated_by
    RETURNING product_id, available, level_version)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'stock.level', s.product_id::text, jsonb_build_object('product_id', s.product_id, 'available', s.available,
    'level_version', s.level_version), $1::text
FROM now_set s

-- name: AbandonedCarts
WITH idle AS (
    SELECT c.user_id FROM carts c
    WHERE c.active_hour <= now() - $1::interval AND c.updated_at < now() - $1::interval
        AND c.version > c.abandoned_notified_version
    ORDER BY c.active_hour LIMIT $2 FOR UPDATE SKIP LOCKED),
marked AS (
    UPDATE carts c SET abandoned_notified_version = c.version, active_hour = 'infinity' FROM idle WHERE c.user_id = idle.user_id
    RETURNING c.user_id, c.version),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'cart.abandoned', m.user_id, jsonb_build_object('user_id', m.user_id, 'cart_version', m.version),
        $3::text
    FROM marked m WHERE EXISTS (SELECT 1 FROM cart_items i WHERE i.user_id = m.user_id)
    RETURNING key)
SELECT t.key FROM told t

-- name: PurgeKeys
DELETE FROM idempotency_keys k USING (
    SELECT o.user_id, o.key FROM idempotency_keys o WHERE o.created_at < now() - interval '24 hours'
    ORDER BY o.created_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS old
WHERE k.user_id = old.user_id AND k.key = old.key

-- name: PurgeSessions
DELETE FROM sessions s USING (
    SELECT o.user_id, o.id FROM sessions o WHERE o.expires_at < now()
    ORDER BY o.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS old
WHERE s.user_id = old.user_id AND s.id = old.id

-- name: RecordCharge
WITH fresh AS (
    INSERT INTO test_charges (key, ref, amount, currency, status)
    VALUES ($2::text, $1::text, $3::bigint, $4::text, $5::text)
    ON CONFLICT (key) DO UPDATE SET updated_at = test_charges.updated_at
    RETURNING key, ref, amount, currency, status)
SELECT f.key, f.ref, f.amount, f.currency, f.status, (f.ref = $1::text)::boolean AS fresh FROM fresh f

-- name: RefundCharge
INSERT INTO test_charges AS t (key, ref, amount, currency, status)
VALUES ($1::text, $2::text, 0, '', 'cancelled')
ON CONFLICT (key) DO UPDATE SET updated_at = now(),
    status = CASE t.status WHEN 'captured' THEN 'refunded' ELSE t.status END
RETURNING key, ref, amount, currency, status

-- name: AddGuest
INSERT INTO user_guests (user_id, guest_id) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: ClaimEmail
WITH mine AS (
    INSERT INTO user_emails AS e (email, user_id) VALUES ($1::text, $2::text)
    ON CONFLICT (email) DO UPDATE SET user_id = excluded.user_id, claimed_at = clock_timestamp()
        WHERE e.user_id = excluded.user_id OR (e.user_id = $3::text AND e.claimed_at = $4::timestamptz)
    RETURNING e.user_id, e.claimed_at)
SELECT m.user_id, m.claimed_at, false AS stale FROM mine m
UNION ALL
SELECT e.user_id, e.claimed_at, (e.claimed_at < clock_timestamp() - interval '1 minute')::boolean AS stale
FROM user_emails e WHERE e.email = $1::text AND NOT EXISTS (SELECT 1 FROM mine)
LIMIT 1

-- name: ClaimGuest
INSERT INTO guest_claims (guest_id, user_id)
SELECT $1::text, $2::text WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = $1::text)
ON CONFLICT (guest_id) DO NOTHING

-- name: CreateSession
INSERT INTO sessions (user_id, id, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id, id) DO UPDATE SET expires_at = excluded.expires_at

-- name: DeleteSession
DELETE FROM sessions WHERE user_id = $1 AND id = $2

-- name: EmailOwner
SELECT user_id FROM user_emails WHERE email = $1

-- name: GuestOwner
SELECT user_id FROM guest_claims WHERE guest_id = $1

-- name: GuestStands
SELECT (NOT EXISTS (SELECT 1 FROM users WHERE id = $1::text)
    AND NOT EXISTS (SELECT 1 FROM guest_claims WHERE guest_id = $1::text))::boolean

-- name: GuestsOf
SELECT guest_id FROM user_guests WHERE user_id = $1

-- name: InsertUser
WITH fresh AS (
    INSERT INTO users (id, email, name, password_hash, op_id, created_by, updated_by)
    SELECT $2::text, $3::text, $4::text, $5::text, $6::text, $2::text, $2::text
    WHERE clock_timestamp() - interval '30 seconds' < $7::timestamptz
        AND NOT EXISTS (SELECT 1 FROM guest_claims g WHERE g.guest_id = $2::text)
    ON CONFLICT (id) DO NOTHING RETURNING id)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'user.registered', f.id, jsonb_build_object('user_id', f.id), $1::text FROM fresh f

-- name: LockUser
SELECT pg_advisory_xact_lock(hashtextextended('user:' || $1::text, 0))

-- name: SessionStands
SELECT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1 AND id = $2 AND expires_at > now())

-- name: UpdateUser
UPDATE users SET email = CASE WHEN $1::boolean THEN $2::text ELSE email END,
    name = CASE WHEN $3::boolean THEN $4::text ELSE name END,
    password_hash = CASE WHEN $5::boolean THEN $6::text ELSE password_hash END,
    version = version + 1, updated_at = now(), updated_by = id
WHERE id = $7::text
    AND (NOT $1::boolean OR clock_timestamp() - interval '30 seconds' < $8::timestamptz)
RETURNING id, email, name, created_at

-- name: UserByID
SELECT id, email, name, password_hash, op_id, created_at FROM users WHERE id = $1
