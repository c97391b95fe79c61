CREATE TRIGGER subscriptions_set_updated_at BEFORE UPDATE ON subscriptions
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at();

CREATE TRIGGER credit_balances_set_updated_at BEFORE UPDATE ON credit_balances
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at();
COMMENT ON CONSTRAINT one_active_subscription_per_user ON subscriptions
    IS '사용자당 하나의 활성 구독만 허용';
