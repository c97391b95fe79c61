"""Browsers' sessions: in PostgreSQL, read from the cache.

Nobody but the identity actor may touch them: whoever reads sessions is everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.sessions.backends import cached_db

from pingvas.core.db.actor import IDENTITY, acting_as

if TYPE_CHECKING:
    from django.contrib.sessions.models import Session


class SessionStore(cached_db.SessionStore):
    """Django's store, acting as identity for as long as it asks PostgreSQL."""

    def _get_session_from_db(self) -> Session | None:
        with acting_as(IDENTITY, savepoint=False):
            found: Session | None = super()._get_session_from_db()  # type: ignore[misc]  # untyped in the stubs
        return found

    def exists(self, session_key: str) -> bool:
        with acting_as(IDENTITY, savepoint=False):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        # With a savepoint: a session that is gone by now is no fault of the request.
        with acting_as(IDENTITY):
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with acting_as(IDENTITY, savepoint=False):
            super().delete(session_key)
