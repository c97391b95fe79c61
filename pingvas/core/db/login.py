"""Whether a process signs in as the role that it was meant to, with no more rights.

A web process that was started with the owner's or the administrator's address would
work, and row-level security would hold nobody back. And whether its version is one that
the data bears.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from django.conf import settings

from pingvas.core.db.releases import VersionTooOld, check_release
from pingvas.core.db.roles import BEGINS_AS, OWNER, role_name
from pingvas.core.db.safe_connection import safe_connection

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5
_WHO = """
    SELECT rolname::text, current_user::text, rolsuper, rolbypassrls,
        EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relowner = me.oid)
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspowner = me.oid)
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE proowner = me.oid)
        OR EXISTS (
            SELECT 1 FROM pg_catalog.pg_roles AS owner
            WHERE owner.rolname = %s AND pg_has_role(me.oid, owner.oid, 'MEMBER')
        )
    FROM pg_catalog.pg_roles AS me WHERE rolname = session_user
"""


class WrongLogin(Exception):
    """A connection that this process shall not work with; a pool tries on, in vain."""


class RefusedStart(SystemExit):
    """Ends the start with one line, as a wrong setting does."""

    def __init__(self, problem: object) -> None:
        super().__init__(f"pingvas: {problem}")


class _Expected:
    """The role that this process shall sign in as; None where nobody said."""

    role: str | None = None


def expect_login(role: str) -> None:
    """Refuse to go on as another role than `role`, now and at every new connection.

    The same where the data is that of a version too far ahead. While PostgreSQL is away
    the process may start: it cannot serve anybody before a connection has passed.
    Raises RefusedStart.
    """
    if settings.PRODUCTION and "owner" in settings.DATABASES:
        raise RefusedStart(
            "DATABASE_OWNER_URL is set: it is for `manage.py migrate` alone"
        )
    _Expected.role = role
    try:
        with safe_connection("default", connect_timeout=PATIENCE_SECONDS) as one:
            check_connection(one)
    except (WrongLogin, VersionTooOld) as error:
        raise RefusedStart(error) from None
    except psycopg.OperationalError:
        log.warning("the database is away: the login is checked later")


def check_connection(connection: Any) -> None:
    """What a process that serves asks of each connection: WrongLogin, VersionTooOld."""
    if _Expected.role is not None:
        check_login(connection)
        check_release(connection)


def check_login(connection: Any) -> None:
    """Raise WrongLogin unless the connection is of the expected role, if one is."""
    if _Expected.role is None:
        return
    found = connection.execute(_WHO, [role_name(OWNER)]).fetchone()
    problem = _problem(_Expected.role, *found)
    if problem:
        raise WrongLogin(problem)


def _problem(
    login: str, role: str, acting: str, is_super: bool, bypasses: bool, owns: bool
) -> str:
    expected, begins_as = role_name(login), role_name(BEGINS_AS[login])
    if role != expected:
        return f"DATABASE_URL signs in as {role}, but this process is {expected}"
    if acting != begins_as:
        return f"{role} begins as {acting}, not as {begins_as}: provision again"
    if is_super or bypasses:
        return f"{role} is a superuser or bypasses row-level security"
    if owns:
        return f"{role} owns something, or may become the owner: it shall own nothing"
    return ""
