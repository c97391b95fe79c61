DROP POLICY users_identity_update ON users;
DROP POLICY users_identity_insert ON users;
DROP POLICY users_identity_select ON users;
CREATE POLICY users_identity ON users TO identity_user USING (true) WITH CHECK (true);

DROP POLICY token_families_identity ON token_families;
CREATE POLICY token_families_readonly ON token_families FOR SELECT TO readonly_user USING (true);
CREATE POLICY token_families_update_own ON token_families FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY token_families_insert_own ON token_families FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
