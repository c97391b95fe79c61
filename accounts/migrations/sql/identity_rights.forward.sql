-- A sign-in that was ended stays ended: its owner cannot write the row.
DROP POLICY token_families_insert_own ON token_families;
DROP POLICY token_families_update_own ON token_families;
DROP POLICY token_families_readonly ON token_families;
CREATE POLICY token_families_identity ON token_families TO identity_user
    USING (true) WITH CHECK (true);

-- Who signs up is nobody special yet. Of existing accounts the list of rights leaves out
-- the columns that say more.
DROP POLICY users_identity ON users;
CREATE POLICY users_identity_select ON users FOR SELECT TO identity_user USING (true);
CREATE POLICY users_identity_insert ON users FOR INSERT TO identity_user
    WITH CHECK (NOT is_staff AND NOT is_superuser AND tier = 'free');
CREATE POLICY users_identity_update ON users FOR UPDATE TO identity_user
    USING (true) WITH CHECK (true);
