CREATE TEMPORARY TABLE import_stage (
    id           bigint NOT NULL,
    sku          text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    slug         text NOT NULL,
    description  text NOT NULL,
    brand        text NOT NULL,
    category     text NOT NULL,
    price        bigint NOT NULL,
    currency     text NOT NULL,
    image_url    text NOT NULL,
    rating       double precision NOT NULL,
    rating_count bigint NOT NULL,
    popularity   bigint NOT NULL,
    attributes   jsonb NOT NULL,
    availability text NOT NULL,
    search       tsvector NOT NULL
) ON COMMIT DROP;
