DROP TRIGGER generation_jobs_transition ON generation_jobs;
DROP FUNCTION check_job_transition();
DELETE FROM queue_clock;
ALTER POLICY generation_jobs_update_own ON generation_jobs
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
ALTER POLICY generation_jobs_insert_own ON generation_jobs
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
DROP FUNCTION sees_job(uuid);
DROP POLICY queue_shares_service ON queue_shares;
DROP POLICY queue_shares_readonly ON queue_shares;
DROP POLICY queue_shares_select_own ON queue_shares;
DROP POLICY queue_shares_insert_own ON queue_shares;
DROP POLICY queue_shares_update_own ON queue_shares;
ALTER TABLE queue_shares DISABLE ROW LEVEL SECURITY;
