CREATE POLICY ai_models_insert_own ON ai_models FOR INSERT TO app_user
    WITH CHECK (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
CREATE POLICY ai_models_update_own ON ai_models FOR UPDATE TO app_user
    USING (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official)
    WITH CHECK (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
CREATE POLICY ai_models_delete_own ON ai_models FOR DELETE TO app_user
    USING (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
