-- What a checkout writes, made less: the lines of an order are a column of it, open checkouts have one index, and the
-- age of idempotency keys needs none that every key enters. Programs of the version before do not run on this schema.

-- +goose Up
ALTER TABLE orders ADD COLUMN lines jsonb NOT NULL DEFAULT '[]';
UPDATE orders o SET lines = coalesce((
    SELECT jsonb_agg(jsonb_build_object('product_id', i.product_id, 'sku', i.sku, 'name', i.name, 'quantity', i.quantity,
        'unit_price', i.unit_price) ORDER BY i.position)
    FROM order_items i WHERE i.order_id = o.id), '[]');
ALTER TABLE orders ALTER COLUMN lines DROP DEFAULT;
COMMENT ON COLUMN orders.lines IS 'What was bought, as the checkout had it; never changed.';
DROP TABLE order_items;

-- A shopper has one open checkout. Where an older version left several, the youngest stays; the others end as if the
-- worker had come for them.
WITH older AS (
    UPDATE checkouts c SET state = 'failed', reason = 'temporarily-unavailable', finished_at = now(), updated_at = now()
    WHERE c.state = 'open' AND EXISTS (
        SELECT 1 FROM checkouts y WHERE y.user_id = c.user_id AND y.state = 'open' AND y.order_id > c.order_id)
    RETURNING c.order_id, c.user_id, c.lines)
INSERT INTO outbox (topic, key, payload)
SELECT 'checkout.failed', o.order_id, jsonb_build_object('order_id', o.order_id, 'user_id', o.user_id,
    'product_ids', jsonb_path_query_array(o.lines, '$[*].product_id'))
FROM older o;
DROP INDEX checkouts_cart;
DROP INDEX checkouts_pending;
DROP INDEX checkouts_expiry;
CREATE UNIQUE INDEX checkouts_open ON checkouts (user_id) WHERE state = 'open';
COMMENT ON INDEX checkouts_open IS
    'OpenCheckout: one at a time; ListOrders: a shopper''s pending order; ExpiredCheckouts: the open ones are few. That no cart version is bought twice is orders_cart''s.';

DROP INDEX idempotency_keys_age;
CREATE INDEX idempotency_keys_age ON idempotency_keys USING brin (created_at) WITH (pages_per_range = 16);
COMMENT ON INDEX idempotency_keys_age IS 'PurgeKeys: keys older than 24 h.';

ALTER TABLE carts SET (fillfactor = 70);

-- +goose Down
ALTER TABLE carts RESET (fillfactor);
DROP INDEX idempotency_keys_age;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
DROP INDEX checkouts_open;
CREATE INDEX checkouts_expiry ON checkouts (expires_at) WHERE state = 'open';
CREATE INDEX checkouts_pending ON checkouts (user_id, order_id DESC) WHERE state = 'open';
CREATE UNIQUE INDEX checkouts_cart ON checkouts (user_id, cart_version) WHERE state IN ('open', 'confirmed');
CREATE TABLE order_items (
    order_id   text COLLATE "C"   NOT NULL,
    position   int    NOT NULL,
    product_id bigint NOT NULL,
    sku        text   NOT NULL,
    name       text   NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    unit_price bigint NOT NULL,
    PRIMARY KEY (order_id, position)
);
INSERT INTO order_items
SELECT o.id, l.position::int, (l.line ->> 'product_id')::bigint, l.line ->> 'sku', l.line ->> 'name',
    (l.line ->> 'quantity')::bigint, (l.line ->> 'unit_price')::bigint
FROM orders o CROSS JOIN LATERAL jsonb_array_elements(o.lines) WITH ORDINALITY AS l(line, position);
ALTER TABLE orders DROP COLUMN lines;
