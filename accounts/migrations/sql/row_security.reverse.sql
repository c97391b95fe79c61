REVOKE ALL ON users FROM identity_user;
DROP POLICY users_service ON users;
DROP POLICY users_readonly ON users;
DROP POLICY users_identity ON users;
DROP POLICY users_select_own ON users;
DROP POLICY users_update_own ON users;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;
