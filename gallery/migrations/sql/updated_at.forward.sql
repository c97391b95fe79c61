CREATE TRIGGER boards_set_updated_at BEFORE UPDATE ON boards
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at();
