DROP POLICY credit_balances_insert_own ON credit_balances;
DROP POLICY credit_balances_update_own ON credit_balances;
DROP POLICY credit_transactions_insert_own ON credit_transactions;
DROP POLICY credit_holds_insert_own ON credit_holds;
DROP POLICY credit_holds_update_own ON credit_holds;

-- Whoever writes. With the owner's eyes: a policy could hide the job that is wrong.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION check_hold_is_of_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM generation_jobs
        WHERE id = NEW.job_id AND user_id = NEW.user_id AND quoted_credits = NEW.amount
    ) THEN
        RAISE EXCEPTION 'the hold of job % is not its user''s or not its quote', NEW.job_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

-- After: whom a policy refuses shall hear that. What is held for whom never changes
-- later (guard_credit_hold).
CREATE TRIGGER credit_holds_of_job AFTER INSERT ON credit_holds
    FOR EACH ROW EXECUTE FUNCTION check_hold_is_of_job();
