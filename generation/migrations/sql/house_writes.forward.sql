DROP POLICY generation_jobs_insert_own ON generation_jobs;
DROP POLICY generation_jobs_update_own ON generation_jobs;
DROP FUNCTION sees_job(uuid);
DROP POLICY queue_shares_select_own ON queue_shares;
DROP POLICY queue_shares_insert_own ON queue_shares;
DROP POLICY queue_shares_update_own ON queue_shares;

-- Whoever writes. With the owner's eyes: a policy could hide the row that is wrong.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION check_job_parents() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM generation_jobs
        WHERE id = NEW.retried_from_id AND user_id = NEW.user_id
    ) THEN
        RAISE EXCEPTION 'job % repeats another user''s', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER generation_jobs_parents
    AFTER INSERT OR UPDATE OF retried_from_id ON generation_jobs
    FOR EACH ROW WHEN (NEW.retried_from_id IS NOT NULL)
    EXECUTE FUNCTION check_job_parents();

-- The hold was checked against both when it was placed.
CREATE FUNCTION keep_job_terms() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'whose job % is and what was quoted for it never change', OLD.id
        USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER generation_jobs_terms
    AFTER UPDATE OF user_id, quoted_credits ON generation_jobs
    FOR EACH ROW WHEN (
        OLD.user_id IS DISTINCT FROM NEW.user_id
        OR OLD.quoted_credits IS DISTINCT FROM NEW.quoted_credits
    )
    EXECUTE FUNCTION keep_job_terms();

CREATE FUNCTION check_workflow_thumbnail() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM images WHERE id = NEW.thumbnail_image_id
          AND (user_id = NEW.user_id OR is_public)
    ) THEN
        RAISE EXCEPTION 'workflow % shows another user''s private picture', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER workflows_thumbnail
    AFTER INSERT OR UPDATE OF thumbnail_image_id, user_id ON workflows
    FOR EACH ROW WHEN (NEW.thumbnail_image_id IS NOT NULL)
    EXECUTE FUNCTION check_workflow_thumbnail();
