-- name: CountFacets :many
-- What there is of each kind: counts and what is not folded into them yet, in one snapshot.
SELECT c.kind, c.value, sum(c.n)::bigint AS n FROM (
    SELECT kind, value, n FROM facet_counts UNION ALL SELECT kind, value, n FROM facet_deltas
) c GROUP BY c.kind, c.value HAVING sum(c.n) <> 0;

-- name: FoldFacets :one
-- Adds the oldest changes to the counts and tells how many there were. Only one at a time does; others find 0.
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtext('facet_fold')) AS mine
), gone AS (
    DELETE FROM facet_deltas WHERE id IN (
        SELECT d.id FROM facet_deltas d ORDER BY d.id LIMIT CASE WHEN (SELECT mine FROM turn) THEN sqlc.arg(most)::int ELSE 0 END
    ) RETURNING kind, value, n
), folded AS (
    INSERT INTO facet_counts AS c (kind, value, n)
    SELECT g.kind, g.value, sum(g.n) FROM gone g GROUP BY g.kind, g.value HAVING sum(g.n) <> 0
    ON CONFLICT (kind, value) DO UPDATE SET n = c.n + excluded.n
    RETURNING 1
)
SELECT count(*) AS folded FROM gone;
