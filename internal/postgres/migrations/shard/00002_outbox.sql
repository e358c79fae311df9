-- +goose Up
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text        NOT NULL,
    key         text        NOT NULL,
    payload     jsonb       NOT NULL,
    traceparent text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE outbox IS
    'Events written together with what they tell of. Sharding key: that of the rows they belong to. The relay deletes a row once the queue has it.';

-- +goose StatementBegin
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Notifying commits queue up for one lock of the server: a statement that inserted nothing must stay out of it.
    IF EXISTS (SELECT FROM fresh) THEN
        PERFORM pg_notify('outbox', '');
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();

-- +goose StatementBegin
CREATE FUNCTION availability_class(available bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN available <= 0 THEN 0 WHEN available <= 10 THEN 1 ELSE 2 END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION availability_class IS 'shop.AvailabilityOf: 0 sold_out, 1 low_stock (1 to 10 left), 2 in_stock.';

-- +goose Down
DROP FUNCTION availability_class;
DROP TABLE outbox;
DROP FUNCTION outbox_notify;
