DROP TRIGGER ledger_roots_of_this_moment ON ledger_roots;
DROP FUNCTION check_ledger_root();
