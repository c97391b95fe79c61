DROP TRIGGER workflows_thumbnail ON workflows;
DROP FUNCTION check_workflow_thumbnail();
DROP TRIGGER generation_jobs_terms ON generation_jobs;
DROP FUNCTION keep_job_terms();
DROP TRIGGER generation_jobs_parents ON generation_jobs;
DROP FUNCTION check_job_parents();

CREATE POLICY queue_shares_update_own ON queue_shares FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY queue_shares_insert_own ON queue_shares FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY queue_shares_select_own ON queue_shares FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

CREATE FUNCTION sees_job(job uuid) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT 1 FROM generation_jobs WHERE id = job);
CREATE POLICY generation_jobs_update_own ON generation_jobs FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (retried_from_id IS NULL OR sees_job(retried_from_id))
    );
CREATE POLICY generation_jobs_insert_own ON generation_jobs FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (retried_from_id IS NULL OR sees_job(retried_from_id))
    );
