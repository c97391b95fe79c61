SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE OR REPLACE FUNCTION check_ledger_chain() RETURNS trigger
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
