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
from typing import Any, Literal, cast
from uuid import UUID

from django.db import connections, transaction

from pingvas.core.db.roles import role_name

Role = Literal["app_user", "identity_user", "service_user"]


@dataclass(frozen=True)
class Actor:
    """`role` is the database role to take, by its name in the specification.

    Always named, never "none": a worker's login is another than the web's, and a user
    has the same rights in both.
    """

    role: Role = "app_user"
    user_id: UUID | None = None

    @property
    def statement(self) -> str:
        """SQL that holds until the transaction ends; safe behind transaction pooling.

        Not parametrised: SET takes no parameters, and both values are of closed types.
        """
        role, user_id = role_name(self.role), self.user_id or ""
        return f"SET LOCAL ROLE {role}; SET LOCAL app.current_user_id = '{user_id}'"


NOBODY = Actor()
IDENTITY = Actor(role="identity_user")
SERVICE = Actor(role="service_user")

# None outside every acting_as(): nothing would take a changed actor back from there.
_current: ContextVar[Actor | None] = ContextVar("pingvas_actor", default=None)


class ActorOutsideTransaction(RuntimeError):
    """An actor without a transaction: lists would be empty, or it would stay set."""


def user_actor(user_id: UUID | str) -> Actor:
    """The actor for one user; ValueError when `user_id` is no UUID."""
    return Actor(user_id=UUID(str(user_id)))


def current_actor() -> Actor:
    return _current.get() or NOBODY


def become(actor: Actor, *, using: str = "default") -> None:
    """Change the actor for the rest of the enclosing `acting_as` block.

    Costs no flight: the database learns it along with the next statement. Raises
    ActorOutsideTransaction where there is none. A rolled-back savepoint takes the
    change back.
    """
    connection = connections[using]
    if _current.get() is None or not connection.in_atomic_block:
        raise ActorOutsideTransaction("become() needs an enclosing acting_as()")
    if actor != _current.get():
        cast("Any", connection).act_as(actor)
        _current.set(actor)


@contextmanager
def acting_as(
    actor: Actor, *, savepoint: bool = True, using: str = "default"
) -> Iterator[None]:
    """Run the block as `actor`, in a transaction of its own or nested in the open one.

    The outermost transaction begins and learns its actor in the flight of its first
    statement; see `pingvas.core.db.postgresql`. An exception rolls the block back. A
    nested block costs a savepoint; without one it costs no flight, and an exception
    rolls back the enclosing block as well.
    """
    before = _current.get()
    try:
        if connections[using].in_atomic_block:
            with _nested(actor, savepoint=savepoint, using=using):
                yield
        else:
            _current.set(actor)
            with transaction.atomic(using=using):
                yield
    finally:
        _current.set(before)


@contextmanager
def _nested(actor: Actor, *, savepoint: bool, using: str) -> Iterator[None]:
    before = current_actor()
    with transaction.atomic(using=using, savepoint=savepoint):
        # The scope is opened with the actor that the database has.
        _current.set(before)
        become(actor, using=using)
        yield
        # A rolled-back savepoint takes the setting back by itself.
        if not connections[using].needs_rollback:
            become(before, using=using)


def actor_scope() -> Actor | None:
    """For the backend alone: what `return_to_scope` needs at a savepoint's rollback."""
    return _current.get()


def return_to_scope(scope: Actor | None) -> None:
    """For the backend alone: the database's actor went back to an earlier one."""
    _current.set(scope)
