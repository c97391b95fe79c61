from tests.accounts.api import fresh_counters, program  # noqa: F401
