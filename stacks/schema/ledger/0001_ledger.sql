-- The ledger: double entry, append-only, its laws kept by the database and not only by the service.
-- Runs once, as ledger_owner, when the database starts; ledger_writer and ledger_reader get no more than they need.

-- Volumes of 0.1.0 have it from the service itself.
DO $step$ BEGIN
IF to_regclass('ledger.transaction') IS NOT NULL THEN RETURN; END IF;

CREATE SCHEMA ledger;

CREATE TABLE ledger.account (
    id       text PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('asset', 'liability')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    UNIQUE (id, currency)
);

CREATE TABLE ledger.transaction (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('charge', 'refund')),
    reference     text NOT NULL,
    amount        bigint NOT NULL CHECK (amount > 0),
    currency      text NOT NULL,
    charge_id     uuid REFERENCES ledger.transaction (id),
    psp_reference text NOT NULL,
    caller        text NOT NULL,
    created       timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'refund') = (charge_id IS NOT NULL))
);
CREATE INDEX transaction_charge ON ledger.transaction (charge_id);

-- A debit is positive, a credit negative; the entries of a transaction sum to zero.
CREATE TABLE ledger.entry (
    transaction_id uuid NOT NULL REFERENCES ledger.transaction (id),
    line           smallint NOT NULL CHECK (line > 0),
    account_id     text NOT NULL,
    currency       text NOT NULL,
    amount         bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (transaction_id, line),
    FOREIGN KEY (account_id, currency) REFERENCES ledger.account (id, currency)
);

-- One effect per caller and key; kept in the same transaction as the effect.
CREATE TABLE ledger.idempotency (
    caller      text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,
    answer      jsonb NOT NULL,
    created     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);

CREATE FUNCTION ledger.check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tx    uuid := to_jsonb(NEW) ->> TG_ARGV[0];
    lines integer;
    total numeric;
    debit numeric;
    moved ledger.transaction;
BEGIN
    SELECT * INTO moved FROM ledger.transaction WHERE id = tx;
    SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(amount) FILTER (WHERE amount > 0), 0)
      INTO lines, total, debit FROM ledger.entry WHERE transaction_id = tx AND currency = moved.currency;
    IF lines < 2 OR total <> 0 OR debit <> moved.amount
       OR EXISTS (SELECT FROM ledger.entry WHERE transaction_id = tx AND currency <> moved.currency) THEN
        RAISE EXCEPTION 'transaction % does not balance', tx
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_balances';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    charge   ledger.transaction;
    refunded numeric;
BEGIN
    -- Refunds of one charge wait for each other, so that each sees the ones before it.
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.charge_id::text, 0));
    SELECT * INTO charge FROM ledger.transaction WHERE id = NEW.charge_id;
    SELECT sum(amount) INTO refunded FROM ledger.transaction WHERE charge_id = NEW.charge_id;
    IF charge.kind <> 'charge' OR charge.currency <> NEW.currency OR refunded > charge.amount THEN
        RAISE EXCEPTION 'refunds of % would exceed it', NEW.charge_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_within_charge';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON ledger.transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_balance('id');
CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON ledger.entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_balance('transaction_id');
CREATE TRIGGER within_charge AFTER INSERT ON ledger.transaction
    FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION ledger.check_refund();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_reader;
GRANT SELECT, INSERT ON ledger.account, ledger.transaction, ledger.entry, ledger.idempotency
    TO ledger_writer;
GRANT SELECT ON ledger.account, ledger.transaction, ledger.entry TO ledger_reader;

END $step$;
