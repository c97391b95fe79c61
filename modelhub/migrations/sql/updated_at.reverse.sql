DROP TRIGGER ai_models_set_updated_at ON ai_models;
