DROP TRIGGER boards_set_updated_at ON boards;
