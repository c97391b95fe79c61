DROP TRIGGER generation_jobs_transition ON generation_jobs;
DROP FUNCTION check_job_transition();
DELETE FROM queue_clock;
DROP POLICY queue_shares_service ON queue_shares;
DROP POLICY queue_shares_readonly ON queue_shares;
DROP POLICY queue_shares_select_own ON queue_shares;
DROP POLICY queue_shares_insert_own ON queue_shares;
DROP POLICY queue_shares_update_own ON queue_shares;
ALTER TABLE queue_shares DISABLE ROW LEVEL SECURITY;
