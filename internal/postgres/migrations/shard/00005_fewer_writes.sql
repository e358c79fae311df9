-- What a checkout writes, made less again. Programs of the version before run on this schema, beside programs of this one:
-- they go on writing rows into payments, which everybody still reads, and what they do not see of orders paid the new way
-- is needed by none of their statements (a cancellation of theirs leaves payment_status as it was; the refund hangs on the
-- outbox and the provider's ledger). Only their `stampede audit` misses payments: use that of this version. A note in
-- answers that they do not read counts as lost, which does no harm: who asks within ten seconds is given the order once more.

-- +goose Up
-- The payment of an order is part of its row; payments keeps those of orders before.
ALTER TABLE orders ADD COLUMN payment_provider text, ADD COLUMN payment_ref text, ADD COLUMN payment_amount bigint,
    ADD COLUMN payment_status text;
COMMENT ON COLUMN orders.payment_status IS
    'captured | refund_due (the order was cancelled; the provider''s ledger tells whether the money is back); NULL when the payment is a row of payments.';
COMMENT ON TABLE payments IS
    'The payments of orders that do not carry theirs themselves. Sharding key: user_id.';

-- Checks are parsed and planned again by every statement that writes, which cost a small transaction a sixth of its processor
-- time. States are constants of the statements (queries/shard), and the audit looks at what is there. What keeps
-- stock from being oversold is checked by the database as before.
ALTER TABLE checkouts DROP CONSTRAINT checkouts_state_check, DROP CONSTRAINT checkouts_total_check;
ALTER TABLE orders DROP CONSTRAINT orders_status_check;
ALTER TABLE reservations DROP CONSTRAINT reservations_state_check, DROP CONSTRAINT reservations_quantity_check;

-- When buyers were told of their orders used to be written to each of their carts: another version of a row for every order,
-- for what is needed for ten seconds only. Unlogged: after a crash or a failover such notes count as lost.
CREATE UNLOGGED TABLE answers (
    noted_at  timestamptz   NOT NULL DEFAULT now(),
    order_ids text[]        NOT NULL,
    moments   timestamptz[] NOT NULL
);
ALTER TABLE answers ALTER COLUMN order_ids SET STORAGE EXTERNAL;
COMMENT ON TABLE answers IS
    'When buyers were told of the orders that they bought carts with, many in a row. On the shards of the buyers; does not move with them.';
CREATE INDEX answers_age ON answers (noted_at);
COMMENT ON INDEX answers_age IS 'ReadCart: the notes of the moments after a cart was bought; ForgetAnswers.';

-- +goose Down
DROP TABLE answers;
ALTER TABLE reservations ADD CONSTRAINT reservations_state_check CHECK (state IN ('held', 'committed', 'released', 'returned')),
    ADD CONSTRAINT reservations_quantity_check CHECK (quantity >= 0);
ALTER TABLE orders ADD CONSTRAINT orders_status_check CHECK (status IN ('confirmed', 'cancelled'));
ALTER TABLE checkouts ADD CONSTRAINT checkouts_state_check CHECK (state IN ('open', 'confirmed', 'failed')),
    ADD CONSTRAINT checkouts_total_check CHECK (total >= 0);
INSERT INTO payments (order_id, user_id, provider, ref, amount, currency, status, created_at, updated_at)
SELECT o.id, o.user_id, o.payment_provider, o.payment_ref, o.payment_amount, o.currency, o.payment_status, o.created_at, o.updated_at
FROM orders o WHERE o.payment_status IS NOT NULL;
ALTER TABLE orders DROP COLUMN payment_provider, DROP COLUMN payment_ref, DROP COLUMN payment_amount, DROP COLUMN payment_status;
