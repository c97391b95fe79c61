"""A process refuses to serve by another login than its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, connections
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict

from pingvas.core.db import login
from pingvas.core.db.actor import NOBODY, acting_as, user_actor
from pingvas.core.db.login import (
    RefusedStart,
    WrongLogin,
    check_login,
    expect_login,
)
from pingvas.core.db.roles import WEB, WORKER
from tests.cast import make_user
from tests.core.programs import run_python
from tests.database import (
    admin_connection,
    connect,
    owner_connection,
    signed_in_as_worker,
)

STARTS = {
    "web": ("-c", "import pingvas.asgi"),
    "worker": ("-m", "celery", "-A", "pingvas", "worker", "--pool", "solo"),
    "beat": ("-m", "celery", "-A", "pingvas", "beat", "--pidfile", ""),
}


@pytest.fixture(autouse=True)
def database(django_db_setup: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login._Expected, "role", None)


def address(variable: str) -> str:
    parts = conninfo_to_dict(os.environ[variable])
    name = connections["default"].settings_dict["NAME"]
    return (
        f"postgresql://{parts['user']}:{parts['password']}"
        f"@{parts['host']}:{parts['port']}/{name}"
    )


@pytest.mark.parametrize(
    ("name", "variable", "words"),
    [
        ("web", "DATABASE_ADMIN_URL", "signs in as postgres"),
        ("web", "DATABASE_WORKER_URL", "but this process is app_user"),
        ("worker", "DATABASE_OWNER_URL", "signs in as pingvas_owner"),
        ("beat", "DATABASE_URL", "but this process is worker_user"),
    ],
)
def test_nobody_starts_by_the_login_of_another(name, variable, words):
    env = os.environ | {"DATABASE_URL": address(variable)}
    ended = run_python(env, *STARTS[name])
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("pingvas: DATABASE_URL")
    assert words in last
    assert "Traceback" not in ended.stderr


def test_production_does_not_start_with_the_owners_address(settings):
    with override_settings(PRODUCTION=True), pytest.raises(RefusedStart, match="OWNER"):
        expect_login(WEB)


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A login of this test's own: the real ones are those of tests beside."""
    name = f"probe_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    monkeypatch.setattr(login, "BEGINS_AS", {name: name})
    monkeypatch.setattr(login._Expected, "role", name)
    with admin_connection() as admin:
        database = connections["default"].settings_dict["NAME"]
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'probe'")
        admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {name}")
        try:
            yield name
        finally:
            admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def look_at(role: str) -> None:
    values = connections["default"].settings_dict
    with psycopg.connect(
        dbname=values["NAME"],
        host=values["HOST"],
        port=values["PORT"],
        user=role,
        password="probe",
    ) as one:
        check_login(one)


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ("ALTER ROLE {role} BYPASSRLS", "bypasses row-level security"),
        ("ALTER ROLE {role} SUPERUSER", "is a superuser"),
        (
            "CREATE TABLE extensions.mine ();"
            " ALTER TABLE extensions.mine OWNER TO {role}",
            "it shall own nothing",
        ),
        ("GRANT pingvas_owner TO {role}", "may become the owner"),
        (
            "GRANT readonly_user TO {role};"
            " ALTER ROLE {role} SET role = 'readonly_user'",
            "begins as readonly_user",
        ),
    ],
)
def test_more_rights_than_meant_are_refused(role, grant, words):
    look_at(role)
    with admin_connection() as admin:
        admin.execute(grant.format(role=role))
    with pytest.raises(WrongLogin, match=words):
        look_at(role)


def test_every_new_connection_is_looked_at(monkeypatch):
    """The database may have been away at the start."""
    monkeypatch.setattr(login._Expected, "role", WORKER)
    with connect("DATABASE_URL") as one, pytest.raises(WrongLogin):
        # What the pool calls for each connection that it opens.
        connections["default"]._configure_connection(one)


def test_a_process_starts_while_the_database_is_away(monkeypatch, caplog):
    def away(*args: object, **options: object) -> None:
        raise psycopg.OperationalError("away")

    monkeypatch.setattr(psycopg, "connect", away)
    expect_login(WEB)
    assert "the database is away" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_what_a_worker_does_for_a_user_shows_it_no_row_of_others():
    """An export, say: a worker is the house, but not while it acts for a person."""
    alice, _bob = make_user("alice"), make_user("bob")
    who = "SELECT session_user::text, current_user::text, count(*) FROM users"
    with signed_in_as_worker():
        with acting_as(user_actor(alice.id)), connection.cursor() as cursor:
            cursor.execute(who)
            assert cursor.fetchone() == ("worker_user", "app_user", 1)
        with acting_as(NOBODY), connection.cursor() as cursor:
            cursor.execute(who)
            assert cursor.fetchone() == ("worker_user", "app_user", 0)
        with connection.cursor() as cursor:
            cursor.execute(who)
            assert cursor.fetchone() == ("worker_user", "service_user", 2)


def test_what_people_wrote_does_not_reach_the_databases_log(settings):
    """Failed statements hold it, and so does the detail of an error."""
    log = settings.MEDIA_ROOT.parent / "postgres.log"
    secret = "nobody-but-me@example.com"
    begun = log.stat().st_size
    twice = f"""INSERT INTO users (email, is_superuser)
                VALUES ('{secret}', false), ('{secret}', false)"""  # noqa: S608
    with owner_connection() as owner, pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute(twice)
    for variable in ("DATABASE_URL", "DATABASE_WORKER_URL"):
        with connect(variable) as one, pytest.raises(psycopg.Error):
            one.execute(f"SELECT '{secret}'::text, 1 / 0")
    said = log.read_bytes()[begun:]
    assert b"division by zero" in said
    assert b"users_email_key" in said
    assert secret.encode() not in said
