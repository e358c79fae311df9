-- The test provider's ledger by the batch; no key is in one twice.

-- name: RecordCharges :many
WITH fresh AS (
    INSERT INTO test_charges (key, ref, amount, currency, status)
    SELECT unnest(@keys::text[]), unnest(@refs::text[]), unnest(@amounts::bigint[]), unnest(@currencies::text[]),
        unnest(@statuses::text[])
    ON CONFLICT (key) DO UPDATE SET updated_at = test_charges.updated_at
    RETURNING key, ref, amount, currency, status)
SELECT f.key, f.ref, f.amount, f.currency, f.status FROM fresh f;

-- name: RefundCharges :many
INSERT INTO test_charges AS t (key, ref, amount, currency, status)
SELECT unnest(@keys::text[]), unnest(@refs::text[]), 0, '', 'cancelled'
ON CONFLICT (key) DO UPDATE SET updated_at = now(),
    status = CASE t.status WHEN 'captured' THEN 'refunded' ELSE t.status END
RETURNING key, ref, amount, currency, status;
