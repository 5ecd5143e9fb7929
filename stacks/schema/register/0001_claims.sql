-- The claims of the insurance: what was decided for each request, what of a cover is spoken for, what is settled.
-- register_writer adds and reads, and gives back what was spoken for in vain; register_reader sees what is settled.

CREATE SCHEMA register;

-- With the cover as it was when the claim first came.
CREATE TABLE register.request (
    key         text PRIMARY KEY,
    fingerprint text NOT NULL,
    decision    jsonb NOT NULL,
    created     timestamptz NOT NULL DEFAULT now()
);

-- Committed before the refund is asked for: what may have been paid already counts against the cover's limit.
CREATE TABLE register.reserved (
    key      text PRIMARY KEY REFERENCES register.request (key),
    cover_id text NOT NULL,
    amount   bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);
CREATE INDEX reserved_cover ON register.reserved (cover_id);

-- One for a request, and one for a refund; what is settled can no longer be given back.
CREATE TABLE register.settled (
    id        text PRIMARY KEY,
    key       text NOT NULL UNIQUE REFERENCES register.reserved (key),
    issuer    text,
    subject   text,
    charge_id text NOT NULL,
    refund_id text NOT NULL UNIQUE,
    created   timestamptz NOT NULL DEFAULT now(),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

GRANT USAGE ON SCHEMA register TO register_writer, register_reader;
GRANT SELECT, INSERT ON register.request, register.reserved, register.settled TO register_writer;
GRANT DELETE ON register.reserved TO register_writer;
GRANT SELECT ON register.reserved, register.settled TO register_reader;
