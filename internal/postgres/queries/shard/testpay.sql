-- name: RecordCharge :one
-- The charge under a key as it stands; fresh when this call made it. A key once used keeps its outcome.
WITH fresh AS (
    INSERT INTO test_charges (key, ref, amount, currency, status)
    VALUES (@key::text, @ref::text, @amount::bigint, @currency::text, @status::text)
    ON CONFLICT (key) DO UPDATE SET updated_at = test_charges.updated_at
    RETURNING key, ref, amount, currency, status)
SELECT f.key, f.ref, f.amount, f.currency, f.status, (f.ref = @ref::text)::boolean AS fresh FROM fresh f;

-- name: RefundCharge :one
INSERT INTO test_charges AS t (key, ref, amount, currency, status)
VALUES (@key::text, @ref::text, 0, '', 'cancelled')
ON CONFLICT (key) DO UPDATE SET updated_at = now(),
    status = CASE t.status WHEN 'captured' THEN 'refunded' ELSE t.status END
RETURNING key, ref, amount, currency, status;
