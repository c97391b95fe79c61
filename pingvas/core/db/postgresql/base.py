"""Django's PostgreSQL backend, with the actor set in the same flight as BEGIN."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from pingvas.core.db.actor import (
    NOBODY,
    Actor,
    ActorOutsideTransaction,
    actor_scope,
    current_actor,
    return_to_scope,
)


class DatabaseWrapper(base.DatabaseWrapper):
    """Begins transactions as the current actor and refuses an actor without one."""

    _connecting = False
    _scopes: dict[str, Actor | None]

    def connect(self) -> None:
        self._connecting = True
        self._scopes = {}
        try:
            super().connect()
        finally:
            self._connecting = False

    def _start_transaction_under_autocommit(self) -> None:
        # Called by the outermost atomic(), the hook that SQLite's backend uses. Two
        # statements in one simple query are one round trip.
        self.ensure_connection()
        actor = current_actor()
        begin = "BEGIN" if actor == NOBODY else f"BEGIN; {actor.statement}"
        with self.wrap_database_errors:
            self.connection.execute(begin)

    def _cursor(self, name: str | None = None) -> Any:
        # Connecting opens a cursor of its own before any transaction can exist.
        outside = not self.in_atomic_block and not self._connecting
        if outside and current_actor() != NOBODY:
            raise ActorOutsideTransaction(
                "an actor is set, but no transaction is open: use acting_as()"
            )
        return super()._cursor(name)  # type: ignore[misc]  # untyped in the stubs

    # Rolling back to a savepoint undoes SET LOCAL: what Python believes must follow, or
    # code would run as the service in the belief that it is a user.

    def _savepoint(self, sid: str) -> None:
        super()._savepoint(sid)  # type: ignore[misc]  # untyped in the stubs
        self._scopes[sid] = actor_scope()

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # untyped in the stubs
        return_to_scope(self._scopes[sid])

    def _savepoint_commit(self, sid: str) -> None:
        super()._savepoint_commit(sid)  # type: ignore[misc]  # untyped in the stubs
        del self._scopes[sid]
