DROP TRIGGER credit_holds_of_job ON credit_holds;
DROP FUNCTION check_hold_is_of_job();

CREATE POLICY credit_holds_update_own ON credit_holds FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = credit_holds.job_id
              AND generation_jobs.user_id = credit_holds.user_id
        )
    );
CREATE POLICY credit_holds_insert_own ON credit_holds FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = credit_holds.job_id
              AND generation_jobs.user_id = credit_holds.user_id
        )
    );
CREATE POLICY credit_transactions_insert_own ON credit_transactions FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
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
CREATE POLICY credit_balances_update_own ON credit_balances FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY credit_balances_insert_own ON credit_balances FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
