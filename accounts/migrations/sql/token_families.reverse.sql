DROP POLICY token_families_service ON token_families;
DROP POLICY token_families_readonly ON token_families;
DROP POLICY token_families_select_own ON token_families;
DROP POLICY token_families_insert_own ON token_families;
DROP POLICY token_families_update_own ON token_families;
ALTER TABLE token_families DISABLE ROW LEVEL SECURITY;
