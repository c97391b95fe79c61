CREATE POLICY idempotency_keys_readonly ON idempotency_keys FOR SELECT TO readonly_user USING (true);
