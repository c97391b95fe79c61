"""Django's PostgreSQL backend: BEGIN and the actor go along with the next statement.

A transaction so costs no flight to begin, nor one for its actor or for a change of it,
and none at all when nothing is asked in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS
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
from pingvas.core.db.login import check_connection
from pingvas.core.db.roles import WEB, role_name

if TYPE_CHECKING:
    from psycopg import ClientCursor

    _BaseCursor = ClientCursor[Any]
else:
    _BaseCursor = base.Cursor

INERROR = TransactionStatus.INERROR


class Deferred:
    """What a connection has yet to be told: to begin, and who acts.

    `told` is the actor that PostgreSQL knows of in this transaction.
    """

    def __init__(self) -> None:
        self.begins = False
        # None: a worker's login begins as the house, whoever shall act.
        self.told: Actor | None = NOBODY
        self.actor: Actor = NOBODY

    @property
    def statement(self) -> str:
        """SQL to send ahead of the next statement; empty when all is said."""
        parts = ["BEGIN"] if self.begins else []
        if self.actor is not self.told and self.actor != self.told:
            parts.append(self.actor.statement)
        return "; ".join(parts)

    def begin_as(self, actor: Actor, told: Actor | None) -> None:
        self.begins, self.told, self.actor = True, told, actor

    def sent(self) -> None:
        """The statement arrived. Should it have failed, so has the transaction."""
        self.begins, self.told = False, self.actor

    def returned_to(self, actor: Actor) -> None:
        """PostgreSQL went back to a savepoint, and to who acted then."""
        self.told = self.actor = actor

    def forget(self) -> None:
        self.begins, self.told, self.actor = False, NOBODY, NOBODY


def deferred_of(raw: Any) -> Deferred:
    """What a psycopg connection has yet to be told."""
    found: Deferred | None = getattr(raw, "deferred", None)
    if found is None:
        found = raw.deferred = Deferred()
    return found


class Cursor(_BaseCursor):
    """Sends what the connection has yet to be told along with its statement."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        raw: Any = self.connection
        deferred = deferred_of(raw)
        ahead = deferred.statement
        if not ahead or not isinstance(query, str):
            self._catch_up()
            return super().execute(query, params, **options)
        try:
            super().execute(f"{ahead}; {query}", params, **options)
        except BaseException:
            # What psycopg refused itself was not sent, and a mistake in its grammar has
            # kept even BEGIN from running: the next statement takes it along. What
            # failed in PostgreSQL has doomed the transaction, whoever acts.
            if raw.info.transaction_status == INERROR:
                deferred.sent()
            raise
        deferred.sent()
        for _ in ahead.split(";"):
            self.nextset()
        return self

    def executemany(self, *call: Any, **options: Any) -> Any:
        self._catch_up()
        return super().executemany(*call, **options)

    def copy(self, *call: Any, **options: Any) -> Any:
        self._catch_up()
        return super().copy(*call, **options)

    def stream(self, *call: Any, **options: Any) -> Any:
        self._catch_up()
        return super().stream(*call, **options)

    def _catch_up(self) -> None:
        send_deferred(self.connection)


def send_deferred(raw: Any) -> None:
    """Tell a psycopg connection now what was put off, in a flight of its own."""
    deferred = deferred_of(raw)
    ahead = deferred.statement
    if ahead:
        deferred.sent()
        raw.execute(ahead)


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

    def _configure_connection(self, connection: Any) -> Any:
        # For every connection that the pool opens.
        changed = super()._configure_connection(connection)  # type: ignore[misc]  # untyped in the stubs
        if self.alias == DEFAULT_DB_ALIAS:
            check_connection(connection)
            connection.commit()
        return changed

    def _start_transaction_under_autocommit(self) -> None:
        # Called by the outermost atomic(), the hook that SQLite's backend uses.
        self.ensure_connection()
        actor, scope = current_actor(), actor_scope()
        # Where nobody said who acts, whoever signed in does.
        is_web = self.settings_dict["USER"] == role_name(WEB)
        told = NOBODY if is_web or scope is None else None
        deferred_of(self.connection).begin_as(actor, told)

    def act_as(self, actor: Actor) -> None:
        """Let `actor` act in the open transaction, from the next statement on."""
        # A connection that was closed inside of it is asked nothing more.
        if self.connection is not None:
            deferred_of(self.connection).actor = actor

    # Where nothing was asked there is no transaction to end; and whoever gets the
    # connection from the pool next must not begin what was put off here.

    def _commit(self) -> Any:
        self._forget_deferred()
        return super()._commit()  # type: ignore[misc]  # untyped in the stubs

    def _rollback(self) -> Any:
        self._forget_deferred()
        return super()._rollback()  # type: ignore[misc]  # untyped in the stubs

    def _close(self) -> Any:
        self._forget_deferred()
        return super()._close()  # type: ignore[misc]  # untyped in the stubs

    def _forget_deferred(self) -> None:
        if self.connection is not None:
            deferred_of(self.connection).forget()

    def create_cursor(self, name: str | None = None) -> Any:
        if name:
            # A cursor on the server is no statement that BEGIN could go along with.
            send_deferred(self.connection)
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
        scope = self._scopes[sid]
        # Before: a doomed transaction takes no other statement than this one.
        deferred_of(self.connection).returned_to(scope or NOBODY)
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # untyped in the stubs
        return_to_scope(scope)

    def _savepoint_commit(self, sid: str) -> None:
        super()._savepoint_commit(sid)  # type: ignore[misc]  # untyped in the stubs
        del self._scopes[sid]
