DROP TRIGGER job_inputs_owner ON job_inputs;
DROP FUNCTION check_job_input();
DROP POLICY job_inputs_select_own ON job_inputs;
DROP POLICY job_inputs_readonly ON job_inputs;
DROP POLICY job_inputs_service ON job_inputs;
ALTER TABLE job_inputs DISABLE ROW LEVEL SECURITY;
