GRANT UPDATE, DELETE ON credit_transactions TO app_user, service_user;
DROP TRIGGER credit_transactions_match_balance ON credit_transactions;
DROP TRIGGER credit_balances_match_ledger ON credit_balances;
DROP FUNCTION check_balance_is_ledger();
DROP TRIGGER credit_transactions_chain ON credit_transactions;
DROP FUNCTION check_ledger_chain();
DROP TRIGGER credit_transactions_no_truncate ON credit_transactions;
DROP TRIGGER credit_transactions_append_only ON credit_transactions;
DROP FUNCTION refuse_ledger_change();
