-- The version before writes jobs without a submission: each of its batches is one, and so
-- is each that was there already. With the owner's eyes, as it has no right to the table.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION give_job_its_submission() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    NEW.submission_id := coalesce(NEW.submission_id, NEW.batch_id);
    IF NEW.submission_id = NEW.batch_id THEN
        INSERT INTO submissions (id, user_id, kind, created_at)
        SELECT NEW.batch_id, NEW.user_id, 'batch', NEW.created_at
        WHERE NOT EXISTS (SELECT 1 FROM submissions WHERE id = NEW.batch_id)
        ON CONFLICT (id) DO NOTHING;
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM submissions WHERE id = NEW.submission_id AND user_id = NEW.user_id
    ) THEN
        RAISE EXCEPTION 'job % is of another user''s submission', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER generation_jobs_submission
    BEFORE INSERT OR UPDATE OF submission_id ON generation_jobs
    FOR EACH ROW EXECUTE FUNCTION give_job_its_submission();
