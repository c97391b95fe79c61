-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE ai_models ENABLE ROW LEVEL SECURITY;
CREATE POLICY ai_models_service ON ai_models TO service_user USING (true) WITH CHECK (true);
CREATE POLICY ai_models_readonly ON ai_models FOR SELECT TO readonly_user USING (true);
CREATE POLICY ai_models_select_available ON ai_models FOR SELECT TO app_user
    USING (is_official OR uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY ai_models_insert_own ON ai_models FOR INSERT TO app_user
    WITH CHECK (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
-- An official model belongs to the house, whoever of the staff uploaded it.
CREATE POLICY ai_models_update_own ON ai_models FOR UPDATE TO app_user
    USING (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official)
    WITH CHECK (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
CREATE POLICY ai_models_delete_own ON ai_models FOR DELETE TO app_user
    USING (uploaded_by_user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) AND NOT is_official);
