-- Known products, by id, where they differ from the stage. Availability is left alone: it follows stock.
UPDATE products AS p SET
    name = s.name, slug = s.slug, description = s.description, brand = s.brand, category = s.category, price = s.price,
    currency = s.currency, image_url = s.image_url, rating = s.rating, rating_count = s.rating_count,
    popularity = s.popularity, attributes = s.attributes, search = s.search,
    version = p.version + 1, updated_at = now(), updated_by = $1
FROM import_stage AS s
WHERE p.id = s.id AND p.deleted_at IS NULL
    AND (p.name, p.slug, p.description, p.brand, p.category, p.price, p.currency, p.image_url, p.rating, p.rating_count,
        p.popularity, p.attributes)
    IS DISTINCT FROM (s.name, s.slug, s.description, s.brand, s.category, s.price, s.currency, s.image_url, s.rating,
        s.rating_count, s.popularity, s.attributes)
RETURNING p.id, p.sku, p.version
