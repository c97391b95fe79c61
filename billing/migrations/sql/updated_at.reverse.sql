COMMENT ON CONSTRAINT one_active_subscription_per_user ON subscriptions IS NULL;
DROP TRIGGER subscriptions_set_updated_at ON subscriptions;
DROP TRIGGER credit_balances_set_updated_at ON credit_balances;
