DROP POLICY idempotency_keys_service ON idempotency_keys;
DROP POLICY idempotency_keys_readonly ON idempotency_keys;
DROP POLICY idempotency_keys_select_own ON idempotency_keys;
DROP POLICY idempotency_keys_insert_own ON idempotency_keys;
DROP POLICY idempotency_keys_update_own ON idempotency_keys;
DROP POLICY idempotency_keys_delete_own ON idempotency_keys;
ALTER TABLE idempotency_keys DISABLE ROW LEVEL SECURITY;
