-- name: GetProduct :one
SELECT id, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    attributes, availability, version, created_at, updated_at
FROM products WHERE id = @id AND deleted_at IS NULL;

-- name: GetProducts :many
SELECT id, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    attributes, availability, version, created_at, updated_at
FROM products WHERE id = ANY(@ids::bigint[]) AND deleted_at IS NULL;

-- name: GetOffers :many
-- What selling a product earns: margin is its attribute of that name, a share of the price; -1 when it has none.
SELECT id, slug, category, price, availability,
    (CASE WHEN jsonb_typeof(attributes -> 'margin') = 'number' AND (attributes ->> 'margin')::numeric BETWEEN 0 AND 1
        THEN (attributes ->> 'margin')::double precision ELSE -1 END)::double precision AS margin
FROM products WHERE id = ANY(@ids::bigint[]) AND deleted_at IS NULL;

-- name: GetPopularRefs :many
SELECT id, slug FROM products WHERE deleted_at IS NULL ORDER BY popularity DESC, id DESC LIMIT @most;

-- name: GetCategoryRefs :many
SELECT id, slug FROM products
WHERE deleted_at IS NULL AND category >= @category AND category < @category || '0' AND (category = @category OR category >= @category || '/')
ORDER BY popularity DESC, id DESC LIMIT @most;

-- name: LockProduct :one
SELECT version, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    popularity, attributes
FROM products WHERE id = @id AND deleted_at IS NULL FOR UPDATE;

-- name: InsertProduct :one
INSERT INTO products (id, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    popularity, attributes, search, created_by, updated_by)
VALUES (@id, @sku, @name, @slug, @description, @brand, @category, @price, @currency, @image_url, @rating, @rating_count,
    @popularity, @attributes, CAST(sqlc.arg(search)::text AS tsvector), @actor, @actor)
RETURNING id, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    attributes, availability, version, created_at, updated_at;

-- name: UpdateProduct :one
UPDATE products SET sku = @sku, name = @name, slug = @slug, description = @description, brand = @brand,
    category = @category, price = @price, currency = @currency, image_url = @image_url, rating = @rating,
    rating_count = @rating_count, popularity = @popularity, attributes = @attributes,
    search = CAST(sqlc.arg(search)::text AS tsvector), version = version + 1, updated_at = now(), updated_by = @actor
WHERE id = @id
RETURNING id, sku, name, slug, description, brand, category, price, currency, image_url, rating, rating_count,
    attributes, availability, version, created_at, updated_at;

-- name: DeleteProduct :one
UPDATE products SET deleted_at = now(), version = version + 1, updated_at = now(), updated_by = @actor
WHERE id = @id AND deleted_at IS NULL
RETURNING version;

-- name: SetAvailability :one
-- Applies a newer stock level; changed tells whether shoppers see a difference. No row: not newer, or no such product.
WITH old AS (
    SELECT p.id, p.availability FROM products p WHERE p.id = @id AND p.level_version < @level_version FOR UPDATE
)
UPDATE products SET availability = @availability, level_version = @level_version
FROM old WHERE products.id = old.id
RETURNING (old.availability <> @availability)::boolean AS changed, products.version;

-- name: CountProducts :one
SELECT count(*) FROM products WHERE deleted_at IS NULL;

-- name: AddOutbox :exec
INSERT INTO outbox (topic, key, payload, traceparent) VALUES (@topic, @key, @payload, @traceparent);

-- name: FindSKUs :many
SELECT id, sku FROM products WHERE sku = ANY(@skus::text[]) AND deleted_at IS NULL;

-- name: NewIDs :many
SELECT nextval('products_id_seq')::bigint AS id FROM generate_series(1, @n::int);
