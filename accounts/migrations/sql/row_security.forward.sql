-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_service ON users TO service_user USING (true) WITH CHECK (true);
CREATE POLICY users_readonly ON users FOR SELECT TO readonly_user USING (true);
CREATE POLICY users_identity ON users TO identity_user USING (true) WITH CHECK (true);
CREATE POLICY users_select_own ON users FOR SELECT TO app_user
    USING (id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY users_update_own ON users FOR UPDATE TO app_user
    USING (id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

-- Sign-in, sign-up and reset see accounts and nothing else.
GRANT SELECT, INSERT, UPDATE ON users TO identity_user;
