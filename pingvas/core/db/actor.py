"""Who acts: the one place that tells PostgreSQL on whose behalf rows are touched.

Row-level security reads the actor from the transaction. A user actor is the setting
`app.current_user_id`; the identity actor (sign-in, sign-up, reset) and the service
actor (staff, workers, maintenance) are roles that the login role may take. Without an
actor no private row is visible, and no error is raised.

    with acting_as(user_actor(job.user_id)):
        ...

Requests are wrapped by `pingvas.core.db.middleware`; consumers, tasks and commands wrap
themselves. Never hold an actor's transaction across GPU steps or network calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import connections, transaction

Role = Literal["NONE", "identity_user", "service_user"]


@dataclass(frozen=True)
class Actor:
    """`role` is the database role to take; NONE stays the login role, `app_user`."""

    role: Role = "NONE"
    user_id: UUID | None = None

    @property
    def statement(self) -> str:
        """SQL that holds until the transaction ends; safe behind transaction pooling.

        Not parametrised: SET takes no parameters, and both values are of closed types.
        """
        user_id = self.user_id or ""
        return (
            f"SET LOCAL ROLE {self.role}; SET LOCAL app.current_user_id = '{user_id}'"
        )


NOBODY = Actor()
IDENTITY = Actor(role="identity_user")
SERVICE = Actor(role="service_user")

_current: ContextVar[Actor] = ContextVar("pingvas_actor", default=NOBODY)


class ActorOutsideTransaction(RuntimeError):
    """An actor is set but no transaction is open: every list would be empty."""


def user_actor(user_id: UUID | str) -> Actor:
    """The actor for one user; ValueError when `user_id` is no UUID."""
    return Actor(user_id=UUID(str(user_id)))


def current_actor() -> Actor:
    return _current.get()


def become(actor: Actor, *, using: str = "default") -> None:
    """Change the actor for the rest of the open transaction."""
    connection = connections[using]
    if not connection.in_atomic_block:
        raise ActorOutsideTransaction("become() needs an open transaction")
    if actor != _current.get():
        with connection.cursor() as cursor:
            cursor.execute(actor.statement)
        _current.set(actor)


@contextmanager
def acting_as(actor: Actor, *, using: str = "default") -> Iterator[None]:
    """Run the block as `actor`, in a transaction of its own or nested in the open one.

    The outermost transaction learns its actor in the same flight as BEGIN; see
    `pingvas.core.db.postgresql`. An exception rolls the block back.
    """
    before = _current.get()
    if not connections[using].in_atomic_block:
        _current.set(actor)
        try:
            with transaction.atomic(using=using):
                yield
        finally:
            _current.set(before)
        return
    try:
        with transaction.atomic(using=using):
            become(actor, using=using)
            yield
            # A rolled-back savepoint takes the setting back by itself.
            if not connections[using].needs_rollback:
                become(before, using=using)
    finally:
        _current.set(before)
