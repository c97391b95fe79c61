"""What somebody put into the schema to be run with the owner's rights is refused.

PostgreSQL has no `=` for two varchars: one that lies in the schema fits the owner's
own statements better than the one for text, and its function runs as the owner.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pingvas.core.management.commands import migrate
from pingvas.local import commands
from pingvas.local.errors import LocalError
from tests.contracts.people import connected, everybody_may_create
from tests.contracts.scratch import roles_to_ourselves
from tests.database import admin_connection, app_connection

TRAP = """
    CREATE FUNCTION trap(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO trapped VALUES (current_user);
        RETURN $1::text = $2::text;
    END $$;
    CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = trap)
"""


@pytest.fixture
def trap(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """An operator of app_user's, from when it still could make one."""
    with connected("owner") as owner:
        owner.execute("CREATE TABLE trapped (who text); GRANT ALL ON trapped TO PUBLIC")
    with everybody_may_create(), app_connection() as app:
        app.execute(TRAP)
    with django_db_blocker.unblock():
        yield
    with admin_connection() as admin:
        admin.execute(
            "DROP FUNCTION IF EXISTS trap CASCADE; DROP TABLE IF EXISTS trapped"
        )


def _trapped() -> set[str]:
    with connected("owner") as owner:
        return {row[0] for row in owner.execute("SELECT who FROM trapped").fetchall()}


def _migrate() -> None:
    try:
        with roles_to_ourselves():
            call_command("migrate", verbosity=0)
    finally:
        connections["owner"].close()


def test_migrate_refuses_before_it_asks_anything(trap):
    with pytest.raises(CommandError, match=r"function trap of app_user"):
        _migrate()
    assert _trapped() == set()


def test_control_without_the_look_the_owner_would_have_run_it(trap, monkeypatch):
    monkeypatch.setattr(migrate, "_refuse_traps", lambda alias: None)
    with pytest.raises(CommandError, match="trapped"):
        _migrate()
    assert _trapped() == {"pingvas_owner"}


def test_provisioning_refuses_too(trap):
    refused = pytest.raises(CommandError, match=r"operator = of app_user")
    with refused, roles_to_ourselves():
        call_command("provision_database")
    assert _trapped() == set()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been run in place of psql itself."""
    calls: list[Any] = []
    monkeypatch.setattr(commands, "_call", lambda argv, env: calls.append(argv) or 0)
    return calls


def _open_psql() -> int:
    name = connections["default"].settings_dict["NAME"]
    parts = conninfo_to_dict(os.environ["DATABASE_ADMIN_URL"])
    postgres = SimpleNamespace(
        password=parts["password"],
        port=parts["port"],
        quarters=SimpleNamespace(programs=Path("programs")),
        url=lambda *_: make_conninfo(os.environ["DATABASE_ADMIN_URL"], dbname=name),
    )
    servers = SimpleNamespace(postgres=postgres)
    return commands._psql(servers, {"DB_SCHEMA": settings.DB_SCHEMA}, [])


def test_psql_does_not_open_for_the_administrator(trap, opened):
    with pytest.raises(LocalError, match=r"function trap of app_user"):
        _open_psql()
    assert opened == []
    assert _trapped() == set()


def test_psql_opens_where_all_is_the_owners(django_db_setup, opened):
    assert _open_psql() == 0
    assert opened == [["programs/psql"]]
