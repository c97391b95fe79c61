DROP TRIGGER job_inputs_owner ON job_inputs;
DROP FUNCTION check_job_input();
