from __future__ import annotations

from secrets import token_hex, token_urlsafe

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.management.utils import get_random_secret_key
from django.test import override_settings

from tests.core.programs import PRODUCTION, TLS, run_python

KEY = PRODUCTION["SECRET_KEY"]
PROTECTED = {"sslmode": "verify-full", "sslrootcert": "/run/ca.crt"}
WITHOUT_TLS = PRODUCTION | {
    "DATABASE_URL": PRODUCTION["DATABASE_URL"].removesuffix(TLS)
}
STARTS = {
    "web": ("-c", "import pingvas.asgi"),
    "worker": ("-m", "celery", "-A", "pingvas", "worker", "--pool", "solo"),
    "beat": ("-m", "celery", "-A", "pingvas", "beat", "--pidfile", ""),
}


def problems(**changes):
    """Identifiers of our own complaints about production with these settings."""
    settings = {
        "PRODUCTION": True,
        "DEBUG": False,
        "SECRET_KEY": KEY[:50],
        "DATABASES": {"default": {"OPTIONS": PROTECTED}},
        "ALLOWED_HOSTS": ["studio.example.com"],
        "REDIS_URL": "redis://:none@127.0.0.1:1/0",
    }
    with override_settings(**settings | changes):
        found = [message.id for message in run_checks()]
    return {name for name in found if name.startswith("pingvas.E00")}


# Django warns that DATABASES must not change under way; only the check reads it here.
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
class TestProduction:
    def test_a_safe_production_passes(self):
        assert problems() == set()

    def test_debug_is_refused(self):
        assert problems(DEBUG=True) == {"pingvas.E001"}

    def test_a_short_secret_key_is_refused(self):
        assert problems(SECRET_KEY=KEY[:49]) == {"pingvas.E002"}

    @pytest.mark.parametrize(
        "key", ["s" * 50, "secret" * 20, "123456789" * 9, f"django-insecure-{KEY}"]
    )
    def test_a_secret_key_that_can_be_guessed_is_refused(self, key):
        assert problems(SECRET_KEY=key) == {"pingvas.E002"}

    @pytest.mark.parametrize(
        "make",
        [get_random_secret_key, lambda: token_hex(32), lambda: token_urlsafe(64)],
    )
    def test_a_random_secret_key_passes(self, make):
        keys = [make() for _ in range(20)]
        assert {frozenset(problems(SECRET_KEY=key)) for key in keys} == {frozenset()}

    @pytest.mark.parametrize("hosts", [["*"], ["studio.example.com", "*"]])
    def test_a_site_that_answers_to_any_name_is_refused(self, hosts):
        assert problems(ALLOWED_HOSTS=hosts) == {"pingvas.E004"}

    @pytest.mark.parametrize(
        "address", ["redis://127.0.0.1:1/0", "rediss://redis", "redis://web:@redis/0"]
    )
    def test_a_redis_without_a_password_is_refused(self, address):
        assert problems(REDIS_URL=address) == {"pingvas.E005"}

    @pytest.mark.parametrize(
        "address",
        [
            "redis://:p@redis:6379/0",
            "rediss://web:p@redis/0",
            "unix://:p@/run/redis.sock",
            "redis://redis/0?password=p",
        ],
    )
    def test_a_redis_with_a_password_passes(self, address):
        assert problems(REDIS_URL=address) == set()

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"sslmode": "prefer", "sslrootcert": "/run/ca.crt"},
            {"sslmode": "disable", "sslrootcert": "/run/ca.crt"},
            {"sslmode": "verify-full"},
            {"sslrootcert": "/run/ca.crt"},
        ],
    )
    def test_postgresql_without_verified_tls_is_refused(self, options):
        databases = {"default": {"OPTIONS": options}}
        assert problems(DATABASES=databases) == {"pingvas.E003"}

    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
    def test_tls_with_a_root_certificate_is_enough(self, mode):
        databases = {"default": {"OPTIONS": PROTECTED | {"sslmode": mode}}}
        assert problems(DATABASES=databases) == set()

    def test_the_owners_connection_is_held_to_the_same(self):
        databases = {"default": {"OPTIONS": PROTECTED}, "owner": {"OPTIONS": {}}}
        assert problems(DATABASES=databases) == {"pingvas.E003"}

    def test_development_is_left_alone(self):
        unsafe = {"DEBUG": True, "SECRET_KEY": "s", "ALLOWED_HOSTS": ["*"]}
        unsafe["REDIS_URL"] = "redis://127.0.0.1:1/0"
        assert problems(PRODUCTION=False, **unsafe) == set()


def test_the_address_in_the_environment_decides():
    assert run_python(PRODUCTION, "manage.py", "check").returncode == 0
    ended = run_python(WITHOUT_TLS, "manage.py", "check")
    assert ended.returncode == 1
    assert "pingvas.E003" in ended.stderr


MAINTENANCE = PRODUCTION | {"WORKER_KIND": "maintenance"}
LEDGER_KEY = {"LEDGER_SIGNING_KEY": "k" * 32}


@pytest.mark.parametrize("key", [None, "k" * 31])
def test_the_maintenance_worker_refuses_to_start_without_the_ledgers_key(key):
    ended = run_python(MAINTENANCE | {"LEDGER_SIGNING_KEY": key}, *STARTS["worker"])
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("(pingvas.E020)")


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_every_other_process_refuses_to_start_with_the_ledgers_key(start):
    ended = run_python(PRODUCTION | LEDGER_KEY, *start)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("(pingvas.E021)")


def test_the_ledgers_key_is_the_maintenance_workers_alone():
    shown = "from pingvas import settings; print(repr(settings.LEDGER_SIGNING_KEY))"
    for environment, key in (
        (MAINTENANCE | LEDGER_KEY, "k" * 32),
        (PRODUCTION | LEDGER_KEY, ""),
    ):
        assert run_python(environment, "-c", shown).stdout == f"{key!r}\n"


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_web_worker_and_beat_refuse_to_start_unsafe(start):
    ended = run_python(WITHOUT_TLS, *start)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("pingvas: The database connection 'default'")
    assert last.endswith("(pingvas.E003)")
    assert "Traceback" not in ended.stderr


UNSAFE = {
    "SECRET_KEY": ("s" * 60, "pingvas.E002"),
    "ALLOWED_HOSTS": ("studio.example.com,*", "pingvas.E004"),
    "REDIS_URL": ("redis://127.0.0.1:1/0", "pingvas.E005"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_the_web_refuses_to_start_so(name):
    value, problem = UNSAFE[name]
    ended = run_python(PRODUCTION | {name: value}, *STARTS["web"])
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith(f"({problem})")
    assert "Traceback" not in ended.stderr


def test_production_has_no_demo_accounts(settings, db):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="no demo accounts in production"):
        call_command("create_demo_accounts")
