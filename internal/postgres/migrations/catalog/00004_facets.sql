-- Counts of products by category, brand, price band and availability, kept up to date by triggers: what GET /products/facets
-- shows without filters.

-- +goose Up

-- facet_band is the lower bound of the price band that a price lies in: shop.PriceBands.
-- +goose StatementBegin
CREATE FUNCTION facet_band(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY[0, 1000, 2500, 5000, 10000, 25000, 50000, 100000]::bigint[])[
        greatest(width_bucket(price, ARRAY[0, 1000, 2500, 5000, 10000, 25000, 50000, 100000]::bigint[]), 1)]
$$;
-- +goose StatementEnd

CREATE TABLE facet_counts (
    kind  text COLLATE "C" NOT NULL CHECK (kind IN ('category', 'brand', 'band', 'availability')),
    value text COLLATE "C" NOT NULL,
    n     bigint NOT NULL,
    PRIMARY KEY (kind, value)
) WITH (fillfactor = 70);
COMMENT ON TABLE facet_counts IS
    'Products by exact category path, brand, lower bound of their price band and availability, but for what facet_deltas says. Not sharded.';
COMMENT ON INDEX facet_counts_pkey IS 'fold: the counts that changes are added to';

-- Writers of products only append here, so that they never wait for each other over a count that many products share.
-- Whoever reads adds these to the counts; the worker folds them in.
CREATE TABLE facet_deltas (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind  text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    n     bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);
COMMENT ON TABLE facet_deltas IS 'Changes of counts not yet folded into facet_counts. Not sharded.';
COMMENT ON INDEX facet_deltas_pkey IS 'fold: the oldest changes first';

-- facet_note writes what one statement changed, however many products it touched: a row for each count that is another one now.
-- +goose StatementBegin
CREATE FUNCTION facet_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO facet_deltas (kind, value, n)
        SELECT v.kind, v.value, count(*) FROM new_products p CROSS JOIN LATERAL (VALUES ('category', p.category), ('brand', p.brand),
            ('band', facet_band(p.price)::text), ('availability', p.availability)) AS v(kind, value)
        WHERE p.deleted_at IS NULL GROUP BY v.kind, v.value;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO facet_deltas (kind, value, n)
        SELECT v.kind, v.value, -count(*) FROM old_products p CROSS JOIN LATERAL (VALUES ('category', p.category), ('brand', p.brand),
            ('band', facet_band(p.price)::text), ('availability', p.availability)) AS v(kind, value)
        WHERE p.deleted_at IS NULL GROUP BY v.kind, v.value;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO facet_deltas (kind, value, n)
        SELECT v.kind, v.value, sum(p.sign) FROM (
            SELECT 1 AS sign, category, brand, price, availability FROM new_products WHERE deleted_at IS NULL
            UNION ALL
            SELECT -1, category, brand, price, availability FROM old_products WHERE deleted_at IS NULL
        ) p CROSS JOIN LATERAL (VALUES ('category', p.category), ('brand', p.brand),
            ('band', facet_band(p.price)::text), ('availability', p.availability)) AS v(kind, value)
        GROUP BY v.kind, v.value HAVING sum(p.sign) <> 0;
    ELSE
        TRUNCATE facet_counts, facet_deltas;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER facet_insert AFTER INSERT ON products REFERENCING NEW TABLE AS new_products FOR EACH STATEMENT EXECUTE FUNCTION facet_note();
CREATE TRIGGER facet_update AFTER UPDATE ON products REFERENCING OLD TABLE AS old_products NEW TABLE AS new_products
    FOR EACH STATEMENT EXECUTE FUNCTION facet_note();
CREATE TRIGGER facet_delete AFTER DELETE ON products REFERENCING OLD TABLE AS old_products FOR EACH STATEMENT EXECUTE FUNCTION facet_note();
CREATE TRIGGER facet_truncate AFTER TRUNCATE ON products FOR EACH STATEMENT EXECUTE FUNCTION facet_note();

-- The triggers hold writers off until this is committed, so nothing is counted twice or missed.
INSERT INTO facet_counts (kind, value, n)
SELECT v.kind, v.value, count(*) FROM products p CROSS JOIN LATERAL (VALUES ('category', p.category), ('brand', p.brand),
    ('band', facet_band(p.price)::text), ('availability', p.availability)) AS v(kind, value)
WHERE p.deleted_at IS NULL GROUP BY v.kind, v.value;

-- +goose Down
DROP TRIGGER facet_insert ON products;
DROP TRIGGER facet_update ON products;
DROP TRIGGER facet_delete ON products;
DROP TRIGGER facet_truncate ON products;
DROP FUNCTION facet_note();
DROP TABLE facet_deltas, facet_counts;
DROP FUNCTION facet_band(bigint);
