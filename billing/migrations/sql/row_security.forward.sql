-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY subscriptions_service ON subscriptions TO service_user USING (true) WITH CHECK (true);
CREATE POLICY subscriptions_readonly ON subscriptions FOR SELECT TO readonly_user USING (true);
CREATE POLICY subscriptions_select_own ON subscriptions FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

ALTER TABLE credit_balances ENABLE ROW LEVEL SECURITY;
CREATE POLICY credit_balances_service ON credit_balances TO service_user USING (true) WITH CHECK (true);
CREATE POLICY credit_balances_readonly ON credit_balances FOR SELECT TO readonly_user USING (true);
CREATE POLICY credit_balances_select_own ON credit_balances FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY credit_balances_insert_own ON credit_balances FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY credit_balances_update_own ON credit_balances FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

ALTER TABLE credit_transactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY credit_transactions_service ON credit_transactions TO service_user USING (true) WITH CHECK (true);
CREATE POLICY credit_transactions_readonly ON credit_transactions FOR SELECT TO readonly_user USING (true);
CREATE POLICY credit_transactions_select_own ON credit_transactions FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY credit_transactions_insert_own ON credit_transactions FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND (job_id IS NULL OR EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = credit_transactions.job_id
              AND generation_jobs.user_id = credit_transactions.user_id
        ))
        AND (subscription_id IS NULL OR EXISTS (
            SELECT 1 FROM subscriptions
            WHERE subscriptions.id = credit_transactions.subscription_id
              AND subscriptions.user_id = credit_transactions.user_id
        ))
    );
