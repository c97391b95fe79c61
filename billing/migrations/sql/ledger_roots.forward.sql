-- Written once: a root that was signed is not forgotten by whoever acts as the service.
REVOKE ALL ON ledger_roots FROM app_user, service_user, readonly_user;
GRANT SELECT, INSERT ON ledger_roots TO service_user;
GRANT SELECT ON ledger_roots TO readonly_user;
