CREATE TRIGGER ai_models_set_updated_at BEFORE UPDATE ON ai_models
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at();
