-- name: CurrentCampaigns :many
SELECT slug, name, headline, starts_at, ends_at, category, products FROM campaigns
WHERE ends_at > now() ORDER BY ends_at, slug LIMIT @most;

-- name: CountCurrentCampaigns :one
-- But for the one that is written now.
SELECT count(*) FROM campaigns WHERE ends_at > now() AND slug <> @slug;

-- name: LockCampaigns :exec
-- Writers come one after the other, so that they count right; readers do not wait.
LOCK TABLE campaigns IN SHARE ROW EXCLUSIVE MODE;

-- name: PutCampaign :exec
INSERT INTO campaigns (slug, name, headline, starts_at, ends_at, category, products, created_by, updated_by)
VALUES (@slug, @name, @headline, @starts_at, @ends_at, @category, @products, @actor, @actor)
ON CONFLICT (slug) DO UPDATE SET name = excluded.name, headline = excluded.headline, starts_at = excluded.starts_at,
    ends_at = excluded.ends_at, category = excluded.category, products = excluded.products, updated_at = now(), updated_by = excluded.updated_by;

-- name: DeleteCampaign :execrows
DELETE FROM campaigns WHERE slug = @slug;
