from __future__ import annotations

import json

import pytest
from django.core.management.utils import get_random_secret_key

from pingvas import settings as product_settings
from tests.core.programs import MINIMAL, PRODUCTION, run_python


def settings_of(environment, *names):
    """What these settings are in a process of its own with this environment."""
    program = (
        "import json, pingvas.settings as s;"
        f"print(json.dumps([getattr(s, name) for name in {names!r}], default=str))"
    )
    done = run_python(environment, "-c", program)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_web_keeps_two_connections_and_opens_thirty():
    (databases,) = settings_of(MINIMAL, "DATABASES")
    assert databases["default"]["OPTIONS"]["pool"] == {
        "min_size": 2,
        "max_size": 30,
        "max_lifetime": 3600,
        "timeout": 10,
    }
    assert databases["default"]["CONN_HEALTH_CHECKS"] is True


def test_a_worker_is_given_fewer_connections():
    few = {"DB_POOL_MIN": "0", "DB_POOL_MAX": "4"}
    (databases,) = settings_of(MINIMAL | few, "DATABASES")
    pool = databases["default"]["OPTIONS"]["pool"]
    assert (pool["min_size"], pool["max_size"]) == (0, 4)


def test_web_and_workers_know_no_owner():
    assert list(settings_of(MINIMAL, "DATABASES")[0]) == ["default"]


def test_the_owners_connection_is_not_pooled_and_holds_the_same_schema(monkeypatch):
    monkeypatch.setenv("PROBE_URL", "postgresql://pingvas_owner:x@db:5432/pingvas_db")
    owner = product_settings.database("PROBE_URL")
    assert "pool" not in owner["OPTIONS"]
    search_path = f"-c search_path={product_settings.DB_SCHEMA},extensions"
    assert owner["OPTIONS"]["options"] == search_path


def test_an_address_keeps_every_part(monkeypatch):
    address = "postgresql://app_user:a%40b@db:6432/pingvas_db"
    tls = "?sslmode=verify-full&sslrootcert=/run/ca.crt"
    monkeypatch.setenv("PROBE_URL", address + tls)
    found = product_settings.database("PROBE_URL")
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    assert [found[name] for name in names] == [
        "pingvas_db",
        "app_user",
        "a@b",
        "db",
        "6432",
    ]
    assert found["OPTIONS"]["sslmode"] == "verify-full"
    assert found["OPTIONS"]["sslrootcert"] == "/run/ca.crt"


def test_production_is_the_default_and_is_closed():
    environment = {n: v for n, v in PRODUCTION.items() if n != "PINGVAS_ENV"}
    names = ("PRODUCTION", "DEBUG", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    names += ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER")
    assert settings_of(environment, *names, "DB_SCHEMA") == [
        True,
        False,
        True,
        True,
        True,
        31_536_000,
        None,
        "prod_pingvas",
    ]


def test_development_is_open_and_lives_in_its_own_schema():
    development = MINIMAL | {"PINGVAS_ENV": "development"}
    names = ("SESSION_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "DB_SCHEMA")
    assert settings_of(development, *names) == [False, False, "dev_pingvas"]


def test_development_shows_our_error_pages_and_files_as_they_are_now():
    development = MINIMAL | {"PINGVAS_ENV": "development"}
    names = ("DEBUG", "WHITENOISE_AUTOREFRESH", "WHITENOISE_MAX_AGE")
    assert settings_of(development, *names) == [False, True, 0]
    assert settings_of(development | {"DEBUG": "1"}, "DEBUG") == [True]
    assert settings_of(MINIMAL | {"PINGVAS_ENV": "test"}, *names) == [False, False, 60]


@pytest.mark.django_db
def test_a_forwarded_scheme_counts_behind_a_proxy_alone(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    forged = {"X-Forwarded-Proto": "https"}
    settings.SECURE_PROXY_SSL_HEADER = None
    assert client.get("/admin/login/", headers=forged).status_code == 301
    proxied = MINIMAL | {"BEHIND_TLS_PROXY": "true"}
    (header,) = settings_of(proxied, "SECURE_PROXY_SSL_HEADER")
    settings.SECURE_PROXY_SSL_HEADER = tuple(header)
    assert client.get("/admin/login/", headers=forged).status_code == 200


def test_passwords_are_kept_as_argon2_alone_at_nineteen_mebibytes():
    program = (
        "import django; django.setup();"
        "from django.contrib.auth.hashers import get_hashers, make_password;"
        "print(len(get_hashers()), make_password('a'))"
    )
    environment = MINIMAL | {"DJANGO_SETTINGS_MODULE": "pingvas.settings"}
    done = run_python(environment, "-c", program)
    assert done.stdout.startswith("1 argon2$argon2id$v=19$m=19456,t=2,p=1$"), done


def test_a_key_from_a_file_signs(tmp_path):
    key = get_random_secret_key()
    (tmp_path / "key").write_text(f"{key}\n")
    environment = MINIMAL | {"SECRET_KEY_FILE": str(tmp_path / "key")}
    assert settings_of(environment, "SECRET_KEY") == [key]
