-- What the shop puts on its front page for a while.

-- +goose Up
CREATE TABLE campaigns (
    slug       text COLLATE "C" PRIMARY KEY CHECK (slug <> ''),
    name       text NOT NULL CHECK (name <> ''),
    headline   text NOT NULL DEFAULT '',
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    category   text COLLATE "C" NOT NULL DEFAULT '',
    products   bigint[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL,
    CHECK ((category = '') <> (products = '{}'))
);
COMMENT ON TABLE campaigns IS 'Campaigns, past ones too. Not sharded: read with the catalogue, replicated in full.';
COMMENT ON COLUMN campaigns.products IS 'ids in the order shown; none when the campaign is for a category';
COMMENT ON INDEX campaigns_pkey IS 'PUT and DELETE /campaigns/{slug}';

CREATE INDEX campaigns_end ON campaigns (ends_at);
COMMENT ON INDEX campaigns_end IS 'the home page, GET /campaigns: those that are not over';

-- +goose Down
DROP TABLE campaigns;
