-- Policies without an actor match nothing and raise nothing, as for the other tables.

ALTER TABLE credit_holds ENABLE ROW LEVEL SECURITY;
CREATE POLICY credit_holds_service ON credit_holds TO service_user USING (true) WITH CHECK (true);
CREATE POLICY credit_holds_readonly ON credit_holds FOR SELECT TO readonly_user USING (true);
CREATE POLICY credit_holds_select_own ON credit_holds FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY credit_holds_insert_own ON credit_holds FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = credit_holds.job_id
              AND generation_jobs.user_id = credit_holds.user_id
        )
    );
CREATE POLICY credit_holds_update_own ON credit_holds FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = credit_holds.job_id
              AND generation_jobs.user_id = credit_holds.user_id
        )
    );

-- A hold is born held and resolved once; what was quoted and for whom never changes.
CREATE FUNCTION guard_credit_hold() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'held' THEN
            RAISE EXCEPTION 'a hold of job % cannot begin as %', NEW.job_id, NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.status <> 'held' THEN
        RAISE EXCEPTION 'the hold of job % is % and stays so', OLD.job_id, OLD.status
            USING ERRCODE = 'restrict_violation';
    ELSIF (NEW.id, NEW.user_id, NEW.job_id, NEW.kind, NEW.amount, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.user_id, OLD.job_id, OLD.kind, OLD.amount, OLD.created_at)
    THEN
        RAISE EXCEPTION 'the terms of the hold of job % never change', OLD.job_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER credit_holds_guard
    BEFORE INSERT OR UPDATE ON credit_holds
    FOR EACH ROW EXECUTE FUNCTION guard_credit_hold();
