-- A statement that has begun to take units and finds too few undoes itself, and its transaction, by this. Programs of the version before do
-- not call it.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION reservation_refused() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not all units can be had at once' USING ERRCODE = 'SR001',
        HINT = 'Nothing is wrong: the orders are served one by one next.';
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION reservation_refused IS 'ReserveAll: undoes what was taken for a batch that cannot be served as a whole.';

-- +goose Down
DROP FUNCTION reservation_refused;
