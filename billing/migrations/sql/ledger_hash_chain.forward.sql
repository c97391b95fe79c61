-- See ledger.forward.sql: nothing of a function with its owner's rights is looked up
-- where another could have put something that fits better.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- As before, and each posting is sealed to the one before it: LEDGER.md tells the bytes.
-- NEW has every default by now, so what is hashed is what is stored; a client's own
-- value is overwritten. A posting before without a hash would make this one NULL, which
-- the column refuses.
CREATE OR REPLACE FUNCTION check_ledger_chain() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last credit_transactions%ROWTYPE;
    previous pg_catalog.bytea := pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex');
BEGIN
    SELECT * INTO last FROM credit_transactions
        WHERE user_id = NEW.user_id ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> coalesce(last.sequence, 0) + 1
        OR NEW.balance_after <> coalesce(last.balance_after, 0) + NEW.amount
    THEN
        RAISE EXCEPTION 'posting % of user % does not continue the ledger',
            NEW.sequence, NEW.user_id USING ERRCODE = 'check_violation';
    END IF;
    IF last.sequence IS NOT NULL THEN
        previous := last.row_hash;
    END IF;
    NEW.row_hash := pg_catalog.sha256(
        previous
        || pg_catalog.uuid_send(NEW.id)
        || pg_catalog.uuid_send(NEW.user_id)
        || pg_catalog.int8send(NEW.sequence)
        || pg_catalog.int4send(NEW.amount)
        || pg_catalog.int4send(pg_catalog.octet_length(NEW.type::pg_catalog.text))
        || pg_catalog.convert_to(NEW.type::pg_catalog.text, 'UTF8')
        || pg_catalog.int4send(NEW.balance_after)
        || pg_catalog.int4send(
            pg_catalog.octet_length(NEW.idempotency_key::pg_catalog.text)
        )
        || pg_catalog.convert_to(NEW.idempotency_key::pg_catalog.text, 'UTF8')
        || pg_catalog.timestamptz_send(NEW.created_at)
    );
    RETURN NEW;
END;
$$;

-- The rows that are there, user by user. ADD COLUMN has locked the table already, so no
-- posting comes in between, and the ledger's guard is off for this transaction's owner
-- and for nobody else.
ALTER TABLE credit_transactions DISABLE TRIGGER credit_transactions_append_only;
DO $$
DECLARE
    posting record;
    whose pg_catalog.uuid;
    previous pg_catalog.bytea;
BEGIN
    FOR posting IN SELECT * FROM credit_transactions ORDER BY user_id, sequence LOOP
        IF posting.user_id IS DISTINCT FROM whose THEN
            whose := posting.user_id;
            previous := pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex');
        END IF;
        previous := pg_catalog.sha256(
            previous
            || pg_catalog.uuid_send(posting.id)
            || pg_catalog.uuid_send(posting.user_id)
            || pg_catalog.int8send(posting.sequence)
            || pg_catalog.int4send(posting.amount)
            || pg_catalog.int4send(
                pg_catalog.octet_length(posting.type::pg_catalog.text)
            )
            || pg_catalog.convert_to(posting.type::pg_catalog.text, 'UTF8')
            || pg_catalog.int4send(posting.balance_after)
            || pg_catalog.int4send(
                pg_catalog.octet_length(posting.idempotency_key::pg_catalog.text)
            )
            || pg_catalog.convert_to(posting.idempotency_key::pg_catalog.text, 'UTF8')
            || pg_catalog.timestamptz_send(posting.created_at)
        );
        UPDATE credit_transactions SET row_hash = previous WHERE id = posting.id;
    END LOOP;
END;
$$;
ALTER TABLE credit_transactions ENABLE TRIGGER credit_transactions_append_only;
