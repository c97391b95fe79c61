DROP TRIGGER generation_jobs_needs ON generation_jobs;
DROP FUNCTION fill_job_needs();
DROP TRIGGER generation_jobs_waits ON generation_jobs;
DROP FUNCTION check_job_waits();
