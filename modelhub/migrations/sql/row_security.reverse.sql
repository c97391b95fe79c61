DROP POLICY ai_models_service ON ai_models;
DROP POLICY ai_models_readonly ON ai_models;
DROP POLICY ai_models_select_available ON ai_models;
DROP POLICY ai_models_insert_own ON ai_models;
DROP POLICY ai_models_update_own ON ai_models;
DROP POLICY ai_models_delete_own ON ai_models;
ALTER TABLE ai_models DISABLE ROW LEVEL SECURITY;
