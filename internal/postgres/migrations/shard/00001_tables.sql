-- Schema of every shard. A row lives on the shard that the ring assigns to its sharding key; the key is named in the
-- comment of each table. Times are the database's. "by" columns hold who did it. Sharding
-- keys and order ids are collated "C": their order is that of their bytes, in programs and in indexes alike.

-- +goose Up
CREATE TABLE users (
    id            text COLLATE "C" PRIMARY KEY,
    email         text        NOT NULL,
    name          text        NOT NULL,
    password_hash text        NOT NULL,
    op_id         text        NOT NULL DEFAULT '',
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text        NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    text        NOT NULL
);
COMMENT ON TABLE users IS 'Accounts. Sharding key: id.';

CREATE TABLE user_emails (
    email      text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C"        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE user_emails IS
    'Who claims an address. Sharding key: email (lower case). A claim stands while its account carries the address; any other may be taken over a minute after claimed_at.';

CREATE TABLE sessions (
    user_id    text COLLATE "C"        NOT NULL,
    id         text        NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id)
);
COMMENT ON TABLE sessions IS 'Sign-ins that stand. Sharding key: user_id.';
CREATE INDEX sessions_expiry ON sessions (expires_at);
COMMENT ON INDEX sessions_expiry IS 'PurgeSessions: sign-ins that have expired.';

CREATE TABLE guest_claims (
    guest_id   text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C"        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE guest_claims IS 'The one account that claimed a guest. Sharding key: guest_id.';

CREATE TABLE user_guests (
    user_id    text COLLATE "C"        NOT NULL,
    guest_id   text COLLATE "C"        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, guest_id)
);
COMMENT ON TABLE user_guests IS 'The guests whose orders an account sees. Sharding key: user_id.';

CREATE TABLE carts (
    user_id                    text COLLATE "C" PRIMARY KEY,
    version                    bigint      NOT NULL DEFAULT 0,
    currency                   text        NOT NULL DEFAULT '',
    recent_ops                 text[]      NOT NULL DEFAULT '{}',
    last_order_id              text        NOT NULL DEFAULT '',
    last_order_at              timestamptz,
    abandoned_notified_version bigint      NOT NULL DEFAULT 0,
    created_at                 timestamptz NOT NULL DEFAULT now(),
    created_by                 text        NOT NULL,
    updated_at                 timestamptz NOT NULL DEFAULT now(),
    updated_by                 text        NOT NULL
);
COMMENT ON TABLE carts IS
    'One cart a shopper. Sharding key: user_id. version never restarts; every edit locks this row before it touches cart_items; recent_ops are the last 16 edits.';
CREATE INDEX carts_idle ON carts (updated_at) WHERE version > abandoned_notified_version;
COMMENT ON INDEX carts_idle IS 'AbandonedCarts: carts not edited for a while whose present version was not notified.';

CREATE TABLE cart_items (
    user_id    text COLLATE "C"        NOT NULL,
    product_id bigint      NOT NULL,
    sku        text        NOT NULL,
    name       text        NOT NULL,
    quantity   bigint      NOT NULL CHECK (quantity > 0),
    unit_price bigint      NOT NULL CHECK (unit_price >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, product_id)
);
COMMENT ON TABLE cart_items IS 'Lines of carts, name, SKU and price denormalised. Sharding key: user_id.';

CREATE TABLE cart_exports (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    guest_id   text COLLATE "C"        NOT NULL,
    user_id    text COLLATE "C"        NOT NULL,
    lines      jsonb       NOT NULL,
    currency   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (guest_id, id)
);
COMMENT ON TABLE cart_exports IS
    'Lines on their way from a guest''s cart to an account''s. Sharding key: guest_id. Gone once cart_imports has them.';

CREATE TABLE cart_imports (
    user_id    text COLLATE "C"        NOT NULL,
    guest_id   text COLLATE "C"        NOT NULL,
    export_id  bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, guest_id, export_id)
);
COMMENT ON TABLE cart_imports IS 'Exports that arrived: each is added to the cart once. Sharding key: user_id.';

CREATE TABLE stock (
    product_id    bigint PRIMARY KEY,
    available     bigint      NOT NULL CHECK (available >= 0),
    received      bigint      NOT NULL,
    level_version bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text        NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    text        NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE stock IS
    'Units free to sell. Sharding key: product_id. received = available + quantities of held and committed reservations, always. Every change of a reservation''s units locks these rows first, in the order of product_id.';
COMMENT ON COLUMN stock.received IS 'Net units ever taken in: what SetAvailable added or took away, all in all.';
COMMENT ON COLUMN stock.level_version IS 'Grows with every stock.level event of the product.';

CREATE TABLE reservations (
    order_id   text COLLATE "C"        NOT NULL,
    product_id bigint      NOT NULL,
    user_id    text COLLATE "C"        NOT NULL,
    quantity   bigint      NOT NULL CHECK (quantity >= 0),
    state      text        NOT NULL CHECK (state IN ('held', 'committed', 'released', 'returned')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, product_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE reservations IS
    'Units held for an order. Sharding key: product_id. held -> committed | released, committed -> returned, never back; a release that came first is a released row that no reserve overcomes.';
CREATE INDEX reservations_expiry ON reservations (expires_at) WHERE state = 'held';
COMMENT ON INDEX reservations_expiry IS 'ExpiredReservations: units held past their expiry.';
CREATE INDEX reservations_released ON reservations (updated_at) WHERE state = 'released';
COMMENT ON INDEX reservations_released IS 'OldTombstones: released rows that may be purged.';

CREATE TABLE checkouts (
    order_id         text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C"        NOT NULL,
    cart_version     bigint      NOT NULL,
    state            text        NOT NULL CHECK (state IN ('open', 'confirmed', 'failed')),
    reason           text        NOT NULL DEFAULT '',
    shortage         jsonb,
    lines            jsonb       NOT NULL,
    total            bigint      NOT NULL CHECK (total >= 0),
    currency         text        NOT NULL,
    payment          jsonb       NOT NULL,
    shipping_address jsonb,
    payment_unknown  boolean     NOT NULL DEFAULT false,
    expires_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz
);
COMMENT ON TABLE checkouts IS
    'Attempts to buy one version of a cart: the coordinator of the saga. Sharding key: user_id. open -> confirmed | failed, once.';
CREATE UNIQUE INDEX checkouts_cart ON checkouts (user_id, cart_version) WHERE state IN ('open', 'confirmed');
COMMENT ON INDEX checkouts_cart IS 'OpenCheckout: the attempt to join; keeps a cart version from being bought twice.';
CREATE INDEX checkouts_expiry ON checkouts (expires_at) WHERE state = 'open';
COMMENT ON INDEX checkouts_expiry IS 'ExpiredCheckouts: attempts the worker takes over.';
CREATE INDEX checkouts_pending ON checkouts (user_id, order_id DESC) WHERE state = 'open';
COMMENT ON INDEX checkouts_pending IS 'ListOrders: a shopper''s pending orders, newest first; OpenCheckout: one at a time.';

CREATE TABLE idempotency_keys (
    user_id    text COLLATE "C"        NOT NULL,
    key        text        NOT NULL,
    hash       bytea       NOT NULL,
    order_id   text COLLATE "C"        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Which checkout a key was used for; honoured for 24 h. Sharding key: user_id.';
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
COMMENT ON INDEX idempotency_keys_age IS 'PurgeKeys: keys older than 24 h.';

CREATE TABLE orders (
    id               text COLLATE "C" PRIMARY KEY,
    user_id          text COLLATE "C"        NOT NULL,
    cart_version     bigint      NOT NULL,
    status           text        NOT NULL CHECK (status IN ('confirmed', 'cancelled')),
    subtotal         bigint      NOT NULL,
    total            bigint      NOT NULL,
    currency         text        NOT NULL,
    shipping_address jsonb,
    version          bigint      NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    created_by       text        NOT NULL,
    updated_at       timestamptz NOT NULL,
    updated_by       text        NOT NULL
);
COMMENT ON TABLE orders IS 'What was bought. Sharding key: user_id.';
CREATE INDEX orders_history ON orders (user_id, id DESC);
COMMENT ON INDEX orders_history IS 'ListOrders: a shopper''s orders, newest first (ids are UUIDv7).';
CREATE UNIQUE INDEX orders_cart ON orders (user_id, cart_version);
COMMENT ON INDEX orders_cart IS 'ConfirmCheckout: no second order of one cart version.';

CREATE TABLE order_items (
    order_id   text COLLATE "C"   NOT NULL,
    position   int    NOT NULL,
    product_id bigint NOT NULL,
    sku        text   NOT NULL,
    name       text   NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    unit_price bigint NOT NULL,
    PRIMARY KEY (order_id, position)
);
COMMENT ON TABLE order_items IS
    'Lines of orders as they were bought; never changed. Sharding key: the user_id of the order.';

CREATE TABLE payments (
    order_id   text COLLATE "C" PRIMARY KEY,
    user_id    text COLLATE "C"        NOT NULL,
    provider   text        NOT NULL,
    ref        text        NOT NULL,
    amount     bigint      NOT NULL,
    currency   text        NOT NULL,
    status     text        NOT NULL CHECK (status IN ('captured', 'refund_due')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE payments IS
    'The payment of an order. Sharding key: user_id. refund_due: the order was cancelled; the provider''s ledger tells whether the money is back.';

CREATE TABLE test_charges (
    key        text COLLATE "C" PRIMARY KEY,
    ref        text        NOT NULL,
    amount     bigint      NOT NULL,
    currency   text        NOT NULL,
    status     text        NOT NULL CHECK (status IN ('captured', 'declined', 'cancelled', 'refunded')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE test_charges IS 'Ledger of the test payment provider. Sharding key: key (the order id).';

-- +goose Down
DROP TABLE test_charges, payments, order_items, orders, idempotency_keys, checkouts, reservations, stock, cart_imports,
    cart_exports, cart_items, carts, user_guests, guest_claims, sessions, user_emails, users;
