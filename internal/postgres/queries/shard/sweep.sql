-- name: AbandonedCarts :many
-- Marks carts that were left alone and writes their events; empty ones are marked only.
WITH idle AS (
    SELECT c.user_id FROM carts c
    WHERE c.active_hour <= now() - @idle::interval AND c.updated_at < now() - @idle::interval
        AND c.version > c.abandoned_notified_version
    ORDER BY c.active_hour LIMIT @max_rows FOR UPDATE SKIP LOCKED),
marked AS (
    UPDATE carts c SET abandoned_notified_version = c.version, active_hour = 'infinity' FROM idle WHERE c.user_id = idle.user_id
    RETURNING c.user_id, c.version),
told AS (
    INSERT INTO outbox (topic, key, payload, traceparent)
    SELECT 'cart.abandoned', m.user_id, jsonb_build_object('user_id', m.user_id, 'cart_version', m.version),
        @traceparent::text
    FROM marked m WHERE EXISTS (SELECT 1 FROM cart_items i WHERE i.user_id = m.user_id)
    RETURNING key)
SELECT t.key FROM told t;

-- name: PurgeKeys :execrows
DELETE FROM idempotency_keys k USING (
    SELECT o.user_id, o.key FROM idempotency_keys o WHERE o.created_at < now() - interval '24 hours'
    ORDER BY o.created_at LIMIT @max_rows FOR UPDATE SKIP LOCKED) AS old
WHERE k.user_id = old.user_id AND k.key = old.key;

-- name: PurgeSessions :execrows
DELETE FROM sessions s USING (
    SELECT o.user_id, o.id FROM sessions o WHERE o.expires_at < now()
    ORDER BY o.expires_at LIMIT @max_rows FOR UPDATE SKIP LOCKED) AS old
WHERE s.user_id = old.user_id AND s.id = old.id;
