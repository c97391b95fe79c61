-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE queue_shares ENABLE ROW LEVEL SECURITY;
CREATE POLICY queue_shares_service ON queue_shares TO service_user USING (true) WITH CHECK (true);
CREATE POLICY queue_shares_readonly ON queue_shares FOR SELECT TO readonly_user USING (true);
CREATE POLICY queue_shares_select_own ON queue_shares FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY queue_shares_insert_own ON queue_shares FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY queue_shares_update_own ON queue_shares FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

-- A retry names a job of the same user. Asked by a function: a policy whose subquery
-- reads its own table is refused by PostgreSQL as infinite recursion.
CREATE FUNCTION sees_job(job uuid) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT 1 FROM generation_jobs WHERE id = job);

ALTER POLICY generation_jobs_insert_own ON generation_jobs
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (retried_from_id IS NULL OR sees_job(retried_from_id))
    );
ALTER POLICY generation_jobs_update_own ON generation_jobs
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (retried_from_id IS NULL OR sees_job(retried_from_id))
    );

INSERT INTO queue_clock (id) VALUES (1);

-- The one table of transitions, held by the database too: whoever writes, a finished
-- job never comes back to life and nothing skips the queue.
CREATE FUNCTION check_job_transition() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'queued'),
        ('pending', 'in_progress'),
        ('pending', 'cancelled'),
        ('pending', 'failed'),
        ('queued', 'in_progress'),
        ('queued', 'cancelled'),
        ('queued', 'failed'),
        ('in_progress', 'queued'),
        ('in_progress', 'completed'),
        ('in_progress', 'failed'),
        ('in_progress', 'cancelled')
    ) THEN
        RAISE EXCEPTION 'job % may not go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER generation_jobs_transition
    BEFORE UPDATE OF status ON generation_jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION check_job_transition();
