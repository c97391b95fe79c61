-- With the owner's eyes: a policy could hide the row that is wrong.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- Whoever writes: what a job waits for is its user's own, named once each.
CREATE FUNCTION check_job_waits() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF cardinality(NEW.waits_for) <> (
        SELECT count(*) FROM generation_jobs
        WHERE id = ANY(NEW.waits_for) AND user_id = NEW.user_id AND id <> NEW.id
    ) THEN
        RAISE EXCEPTION 'job % waits for what is no other job of its user', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER generation_jobs_waits
    AFTER INSERT OR UPDATE OF waits_for ON generation_jobs
    FOR EACH ROW WHEN (NEW.waits_for <> '{}')
    EXECUTE FUNCTION check_job_waits();

-- The version before inserts jobs without a word of what they need. Theirs is the base
-- of their model and its weight; one whose model is gone is anybody's, and fails.
CREATE FUNCTION fill_job_needs() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    known record;
BEGIN
    SELECT base_model, file_size INTO known FROM ai_models WHERE name = NEW.model;
    IF known.base_model IS NOT NULL THEN
        NEW.needs := ARRAY['base:' || known.base_model];
        NEW.needs_bytes := coalesce(known.file_size, 0);
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER generation_jobs_needs
    BEFORE INSERT ON generation_jobs
    FOR EACH ROW WHEN (NEW.lane = 'gpu' AND NEW.needs = '{}')
    EXECUTE FUNCTION fill_job_needs();
