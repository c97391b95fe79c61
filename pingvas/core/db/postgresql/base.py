"""Django's PostgreSQL backend: BEGIN and the actor go along with the first statement.

A transaction so costs no flight to begin, nor one for its actor, and none at all when
nothing is asked in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from pingvas.core.db.actor import (
    NOBODY,
    Actor,
    ActorOutsideTransaction,
    actor_scope,
    current_actor,
    return_to_scope,
)

if TYPE_CHECKING:
    from psycopg import ClientCursor

    _BaseCursor = ClientCursor[Any]
else:
    _BaseCursor = base.Cursor

IDLE = TransactionStatus.IDLE


class Cursor(_BaseCursor):
    """Sends the connection's deferred BEGIN, if there is one, with its statement."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        raw: Any = self.connection
        begin = getattr(raw, "deferred_begin", "")
        if not begin or not isinstance(query, str):
            self._begin()
            return super().execute(query, params, **options)
        try:
            super().execute(f"{begin}; {query}", params, **options)
        finally:
            # A statement with a mistake in its grammar has kept BEGIN from running: the
            # next one must not run outside the transaction.
            if raw.info.transaction_status != IDLE:
                raw.deferred_begin = ""
        for _ in begin.split(";"):
            self.nextset()
        return self

    def executemany(self, *call: Any, **options: Any) -> Any:
        self._begin()
        return super().executemany(*call, **options)

    def copy(self, *call: Any, **options: Any) -> Any:
        self._begin()
        return super().copy(*call, **options)

    def stream(self, *call: Any, **options: Any) -> Any:
        self._begin()
        return super().stream(*call, **options)

    def _begin(self) -> None:
        send_deferred_begin(self.connection)


def send_deferred_begin(raw: Any) -> None:
    """Begin the transaction of a psycopg connection now, if that was put off."""
    begin = getattr(raw, "deferred_begin", "")
    if begin:
        raw.deferred_begin = ""
        raw.execute(begin)


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

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "cursor_factory": Cursor}

    def _start_transaction_under_autocommit(self) -> None:
        # Called by the outermost atomic(), the hook that SQLite's backend uses.
        self.ensure_connection()
        self._defer_begin(current_actor())

    def _defer_begin(self, actor: Actor) -> None:
        begin = "BEGIN" if actor == NOBODY else f"BEGIN; {actor.statement}"
        self.connection.deferred_begin = begin

    def begin_as(self, actor: Actor) -> bool:
        """Let the transaction begin as `actor`; False when it has begun already."""
        if not getattr(self.connection, "deferred_begin", ""):
            return False
        self._defer_begin(actor)
        return True

    # Where nothing was asked there is no transaction to end; and whoever gets the
    # connection from the pool next must not begin what was put off here.

    def _commit(self) -> Any:
        self._forget_begin()
        return super()._commit()  # type: ignore[misc]  # untyped in the stubs

    def _rollback(self) -> Any:
        self._forget_begin()
        return super()._rollback()  # type: ignore[misc]  # untyped in the stubs

    def _close(self) -> Any:
        self._forget_begin()
        return super()._close()  # type: ignore[misc]  # untyped in the stubs

    def _forget_begin(self) -> None:
        if self.connection is not None:
            self.connection.deferred_begin = ""

    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            # A cursor on the server is no statement that BEGIN could go along with.
            send_deferred_begin(self.connection)
        return super().create_cursor(name)

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
