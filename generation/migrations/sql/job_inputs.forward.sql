-- Whoever writes. With the owner's eyes: a policy could hide the row that is wrong.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION check_job_input() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM generation_jobs JOIN images ON images.id = NEW.image_id
        WHERE generation_jobs.id = NEW.job_id
          AND (images.user_id = generation_jobs.user_id OR images.is_public)
    ) THEN
        RAISE EXCEPTION 'job % reads another user''s private picture', NEW.job_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER job_inputs_owner AFTER INSERT OR UPDATE OF job_id, image_id ON job_inputs
    FOR EACH ROW WHEN (NEW.image_id IS NOT NULL)
    EXECUTE FUNCTION check_job_input();
