-- What a commit of a checkout costs, made less. Programs of the version before run on this schema, and lose nothing but
-- reminders of carts that they edit.

-- +goose Up
-- Edits of a cart changed two indexed columns each time, so every version of the row went into every index. The hour of the
-- last edit is nearly always the same as before.
ALTER TABLE carts ADD COLUMN active_hour timestamptz NOT NULL DEFAULT date_trunc('hour', now());
UPDATE carts SET active_hour = CASE WHEN version > abandoned_notified_version THEN date_trunc('hour', updated_at) ELSE 'infinity' END;
DROP INDEX carts_idle;
CREATE INDEX carts_idle ON carts (active_hour);
COMMENT ON INDEX carts_idle IS 'AbandonedCarts: carts not edited for a while whose present version was not notified.';
COMMENT ON COLUMN carts.active_hour IS 'The hour of the last edit; infinity once the cart was looked at as abandoned.';

-- A commit that notifies holds one lock of the whole server until it is on disk and on a standby: commits of all shards queued
-- up for it, one by one. The relay looks often instead.
DROP TRIGGER outbox_notify ON outbox;
DROP FUNCTION outbox_notify;

-- +goose Down
-- +goose StatementBegin
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh) THEN
        PERFORM pg_notify('outbox', '');
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();
DROP INDEX carts_idle;
CREATE INDEX carts_idle ON carts (updated_at) WHERE version > abandoned_notified_version;
ALTER TABLE carts DROP COLUMN active_hour;
