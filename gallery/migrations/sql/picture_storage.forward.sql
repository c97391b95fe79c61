-- With the owner's rights: nobody else writes a delta.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION count_new_picture_bytes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO picture_storage_deltas (user_id, bytes)
    SELECT user_id, sum(file_size) FROM new_rows GROUP BY user_id;
    RETURN NULL;
END;
$$;

CREATE FUNCTION count_old_picture_bytes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO picture_storage_deltas (user_id, bytes)
    SELECT user_id, -sum(file_size) FROM old_rows GROUP BY user_id;
    RETURN NULL;
END;
$$;

CREATE FUNCTION count_moved_picture_bytes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO picture_storage_deltas (user_id, bytes)
    VALUES (OLD.user_id, -OLD.file_size), (NEW.user_id, NEW.file_size);
    RETURN NULL;
END;
$$;

CREATE TRIGGER images_bytes_new AFTER INSERT ON images
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_new_picture_bytes();
CREATE TRIGGER images_bytes_old AFTER DELETE ON images
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_old_picture_bytes();
-- A picture that changes its owner, with the account that is merged into another.
CREATE TRIGGER images_bytes_moved AFTER UPDATE OF user_id, file_size ON images
    FOR EACH ROW WHEN (
        OLD.user_id IS DISTINCT FROM NEW.user_id
        OR OLD.file_size IS DISTINCT FROM NEW.file_size
    )
    EXECUTE FUNCTION count_moved_picture_bytes();
