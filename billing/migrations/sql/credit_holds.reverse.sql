DROP TRIGGER credit_holds_guard ON credit_holds;
DROP FUNCTION guard_credit_hold();
DROP POLICY credit_holds_service ON credit_holds;
DROP POLICY credit_holds_readonly ON credit_holds;
DROP POLICY credit_holds_select_own ON credit_holds;
DROP POLICY credit_holds_insert_own ON credit_holds;
DROP POLICY credit_holds_update_own ON credit_holds;
ALTER TABLE credit_holds DISABLE ROW LEVEL SECURITY;
