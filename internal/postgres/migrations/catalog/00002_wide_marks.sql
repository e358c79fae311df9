-- Marks of eight ranges of price or popularity together, for products that were stored before there were such marks.
-- Not sharded, as everything of the catalogue.

-- +goose Up
UPDATE products SET search = search || (
    SELECT coalesce(array_to_tsvector(array_agg('#' || upper(substr(m.word, 2, 1)) || lpad((substr(m.word, 3)::int / 8)::text, 4, '0'))), '')
    FROM unnest(tsvector_to_array(search)) AS m(word) WHERE m.word ~ '^#[pf][0-9]{4}$'
);

-- +goose Down
-- Nothing to do: marks that nobody asks for do no harm.
SELECT 1;
