-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY idempotency_keys_service ON idempotency_keys TO service_user USING (true) WITH CHECK (true);
CREATE POLICY idempotency_keys_readonly ON idempotency_keys FOR SELECT TO readonly_user USING (true);
CREATE POLICY idempotency_keys_select_own ON idempotency_keys FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY idempotency_keys_insert_own ON idempotency_keys FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY idempotency_keys_update_own ON idempotency_keys FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY idempotency_keys_delete_own ON idempotency_keys FOR DELETE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
