ALTER TABLE token_families ENABLE ROW LEVEL SECURITY;
CREATE POLICY token_families_service ON token_families TO service_user USING (true) WITH CHECK (true);
CREATE POLICY token_families_readonly ON token_families FOR SELECT TO readonly_user USING (true);
CREATE POLICY token_families_select_own ON token_families FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY token_families_insert_own ON token_families FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY token_families_update_own ON token_families FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
