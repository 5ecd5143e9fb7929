-- Movements that a payment provider is asked for: what is meant is committed first, then the provider is asked under the
-- intent's id, then the outcome is kept. So whatever ends in between, the same id is asked again, and has one outcome.

CREATE TABLE ledger.intent (
    id          uuid PRIMARY KEY,
    caller      text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('charge', 'refund')),
    reference   text NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    charge_id   uuid REFERENCES ledger.transaction (id),
    created     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (caller, key),
    CHECK ((kind = 'refund') = (charge_id IS NOT NULL))
);
CREATE INDEX intent_charge ON ledger.intent (charge_id);

-- What the provider refused: then nothing moved, and nothing will.
CREATE TABLE ledger.declined (
    id      uuid PRIMARY KEY REFERENCES ledger.intent (id),
    reason  text NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

-- Asked for, and not known how it ended: the provider has it or not, the books do not. Without anybody's keys.
CREATE VIEW ledger.open AS
    SELECT id, kind, reference, amount, currency, charge_id, created FROM ledger.intent i
     WHERE NOT EXISTS (SELECT FROM ledger.transaction t WHERE t.id = i.id)
       AND NOT EXISTS (SELECT FROM ledger.declined d WHERE d.id = i.id);

-- Money is given back at the provider before it is booked, so what is open counts, too.
CREATE FUNCTION ledger.check_intent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    charge   ledger.transaction;
    refunded numeric;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.charge_id::text, 0));
    SELECT * INTO charge FROM ledger.transaction WHERE id = NEW.charge_id;
    SELECT coalesce(sum(amount), 0) INTO refunded FROM (
        SELECT amount FROM ledger.transaction WHERE charge_id = NEW.charge_id
         UNION ALL SELECT amount FROM ledger.open WHERE charge_id = NEW.charge_id) AS given;
    IF charge.kind <> 'charge' OR charge.currency <> NEW.currency OR refunded > charge.amount THEN
        RAISE EXCEPTION 'refunds of % would exceed it', NEW.charge_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_within_charge';
    END IF;
    RETURN NULL;
END $$;

-- Nothing is booked but what was meant, and nothing that was declined. What was booked before has no intent.
CREATE FUNCTION ledger.check_meant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.id::text, 2));
    IF NOT EXISTS (
        SELECT FROM ledger.intent i WHERE i.id = NEW.id AND i.kind = NEW.kind AND i.amount = NEW.amount
           AND i.currency = NEW.currency AND i.charge_id IS NOT DISTINCT FROM NEW.charge_id)
       OR EXISTS (SELECT FROM ledger.declined d WHERE d.id = NEW.id) THEN
        RAISE EXCEPTION 'transaction % is not what was meant', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_meant';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger.check_declined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.id::text, 2));
    IF EXISTS (SELECT FROM ledger.transaction t WHERE t.id = NEW.id) THEN
        RAISE EXCEPTION 'transaction % is booked', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'declined_not_booked';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER within_charge AFTER INSERT ON ledger.intent
    FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION ledger.check_intent();
CREATE TRIGGER meant AFTER INSERT ON ledger.transaction
    FOR EACH ROW EXECUTE FUNCTION ledger.check_meant();
CREATE TRIGGER not_booked AFTER INSERT ON ledger.declined
    FOR EACH ROW EXECUTE FUNCTION ledger.check_declined();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.intent
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.declined
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT SELECT, INSERT ON ledger.intent, ledger.declined TO ledger_writer;
GRANT SELECT ON ledger.open TO ledger_writer, ledger_reader;
