DROP TRIGGER generation_jobs_submission ON generation_jobs;
DROP FUNCTION give_job_its_submission();
DROP POLICY submissions_select_own ON submissions;
DROP POLICY submissions_readonly ON submissions;
DROP POLICY submissions_service ON submissions;
ALTER TABLE submissions DISABLE ROW LEVEL SECURITY;
