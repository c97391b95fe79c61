DROP POLICY ai_models_insert_own ON ai_models;
DROP POLICY ai_models_update_own ON ai_models;
DROP POLICY ai_models_delete_own ON ai_models;
