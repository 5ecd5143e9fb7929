-- The orders of the shop: what was decided for each request, and which of them are paid. Nothing is ever changed.
-- orderbook_writer adds and reads; orderbook_reader sees the orders, and nobody's keys.

CREATE SCHEMA orderbook;

-- Committed before the charge is asked for: whoever repeats the request charges the same.
CREATE TABLE orderbook.request (
    key         text PRIMARY KEY,
    fingerprint text NOT NULL,
    decision    jsonb NOT NULL,
    created     timestamptz NOT NULL DEFAULT now()
);

-- One for a request, and one for a charge. Whose token it was placed with is its owner; nobody's where none came.
CREATE TABLE orderbook.placed (
    id        text PRIMARY KEY,
    key       text NOT NULL UNIQUE REFERENCES orderbook.request (key),
    issuer    text,
    subject   text,
    customer  text NOT NULL,
    currency  text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    goods     bigint NOT NULL CHECK (goods > 0),
    premium   bigint NOT NULL CHECK (premium > 0),
    total     bigint NOT NULL GENERATED ALWAYS AS (goods + premium) STORED,
    quote_id  text NOT NULL,
    charge_id text NOT NULL UNIQUE,
    created   timestamptz NOT NULL DEFAULT now(),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

CREATE TABLE orderbook.line (
    order_id text NOT NULL REFERENCES orderbook.placed (id),
    number   smallint NOT NULL CHECK (number > 0),
    item_id  text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    price    bigint NOT NULL CHECK (price > 0),
    PRIMARY KEY (order_id, number),
    UNIQUE (order_id, item_id)
);

GRANT USAGE ON SCHEMA orderbook TO orderbook_writer, orderbook_reader;
GRANT SELECT, INSERT ON orderbook.request, orderbook.placed, orderbook.line TO orderbook_writer;
GRANT SELECT ON orderbook.placed, orderbook.line TO orderbook_reader;
