DROP TRIGGER generation_jobs_submission ON generation_jobs;
DROP FUNCTION give_job_its_submission();
