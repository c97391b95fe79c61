DROP POLICY images_insert_own ON images;

-- Whoever writes. With the owner's eyes: a policy could hide the row that is wrong.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION check_image_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM generation_jobs WHERE id = NEW.job_id AND user_id = NEW.user_id
    ) THEN
        RAISE EXCEPTION 'picture % is of another user''s job', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER images_of_job AFTER INSERT OR UPDATE OF job_id, user_id ON images
    FOR EACH ROW WHEN (NEW.job_id IS NOT NULL)
    EXECUTE FUNCTION check_image_job();

CREATE FUNCTION check_board_cover() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM images WHERE id = NEW.cover_image_id
          AND (user_id = NEW.user_id OR is_public)
    ) THEN
        RAISE EXCEPTION 'board % shows another user''s private picture', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER boards_cover AFTER INSERT OR UPDATE OF cover_image_id, user_id ON boards
    FOR EACH ROW WHEN (NEW.cover_image_id IS NOT NULL)
    EXECUTE FUNCTION check_board_cover();

CREATE FUNCTION check_board_image() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM boards JOIN images ON images.id = NEW.image_id
        WHERE boards.id = NEW.board_id
          AND (images.user_id = boards.user_id OR images.is_public)
    ) THEN
        RAISE EXCEPTION 'board % holds another user''s private picture', NEW.board_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER board_images_owner
    AFTER INSERT OR UPDATE OF board_id, image_id ON board_images
    FOR EACH ROW EXECUTE FUNCTION check_board_image();
