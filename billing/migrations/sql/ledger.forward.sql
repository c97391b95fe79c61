-- These functions run with the owner's rights, and app_user may make temporary tables
-- and, as the specification has it, functions and operators in this schema. So nothing
-- here may be looked up where app_user can put something that fits better:
-- FROM CURRENT stores this path with pg_temp last (left out, it would come first), and
-- what pg_catalog has only for any array or any record is named with its schema.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- The ledger is written once. The only change that passes is the foreign keys' own
-- SET NULL, recognised by its effect: nothing but the reference of a parent that no
-- longer exists becomes NULL.
CREATE FUNCTION refuse_ledger_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    expected credit_transactions%ROWTYPE;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        expected := OLD;
        IF NEW.job_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM generation_jobs WHERE id = OLD.job_id
        ) THEN
            expected.job_id := NULL;
        END IF;
        IF NEW.subscription_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM subscriptions WHERE id = OLD.subscription_id
        ) THEN
            expected.subscription_id := NULL;
        END IF;
        IF expected OPERATOR(pg_catalog.<>) OLD AND expected OPERATOR(pg_catalog.=) NEW
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'credit_transactions is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER credit_transactions_append_only
    BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER credit_transactions_no_truncate
    BEFORE TRUNCATE ON credit_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

-- Each posting continues the one before it: no gap, no fork, no invented balance. The
-- unique key on (user_id, sequence) refuses the second of two that race.
CREATE FUNCTION check_ledger_chain() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last credit_transactions%ROWTYPE;
BEGIN
    SELECT * INTO last FROM credit_transactions
        WHERE user_id = NEW.user_id ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> coalesce(last.sequence, 0) + 1
        OR NEW.balance_after <> coalesce(last.balance_after, 0) + NEW.amount
    THEN
        RAISE EXCEPTION 'posting % of user % does not continue the ledger',
            NEW.sequence, NEW.user_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER credit_transactions_chain
    BEFORE INSERT ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION check_ledger_chain();

-- At commit the balance is the ledger's last word, for whoever had or has it; a user
-- without postings may have a balance of 0 or none yet. SECURITY DEFINER: by then the
-- transaction may act for somebody else, and the rule holds for everybody.
CREATE FUNCTION check_balance_is_ledger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    holder credit_balances.user_id%TYPE;
    held credit_balances.balance%TYPE;
    posted credit_transactions.balance_after%TYPE;
BEGIN
    FOR holder IN
        SELECT DISTINCT user_id
        FROM pg_catalog.unnest(ARRAY[OLD.user_id, NEW.user_id]) AS user_id
        WHERE user_id IS NOT NULL
    LOOP
        SELECT balance INTO held FROM credit_balances WHERE user_id = holder;
        SELECT balance_after INTO posted FROM credit_transactions
            WHERE user_id = holder ORDER BY sequence DESC LIMIT 1;
        IF held IS DISTINCT FROM posted
            AND NOT (posted IS NULL AND coalesce(held, 0) = 0)
        THEN
            RAISE EXCEPTION 'the balance of user % is %, but the ledger says %',
                holder, held, posted USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER credit_balances_match_ledger
    AFTER INSERT OR UPDATE OF balance, user_id OR DELETE ON credit_balances
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_balance_is_ledger();
CREATE CONSTRAINT TRIGGER credit_transactions_match_balance
    AFTER INSERT ON credit_transactions
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_balance_is_ledger();

REVOKE UPDATE, DELETE, TRUNCATE ON credit_transactions FROM app_user, service_user;
