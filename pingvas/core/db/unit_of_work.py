"""The transaction of a request, which may end before the request does.

The middleware opens it round the whole response. A view that has to wait for something
else than PostgreSQL (the object store above all) reads its rows, ends the unit and only
then waits:

    image = access_image(request.user, image_id)
    end_unit_of_work()
    content = read_thumbnail(image)

From there on nobody acts: a private row is asked for within an `acting_as` of its own.
What was written is committed; an error that comes later takes none of it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import connection, transaction

from pingvas.core.db.actor import Actor, acting_as


@dataclass(frozen=True)
class _Unit:
    """What ends it, and how many blocks it is within itself included."""

    stack: ExitStack
    depth: int


# None where no request is served, and once its unit has ended.
_open: ContextVar[_Unit | None] = ContextVar("pingvas_unit_of_work", default=None)


class UnitOfWorkOpen(RuntimeError):
    """A transaction would have been held while something else is waited for."""


@contextmanager
def unit_of_work(actor: Actor) -> Iterator[None]:
    """A transaction of `actor`, which `end_unit_of_work` ends before the block does."""
    with ExitStack() as stack:
        stack.enter_context(acting_as(actor))
        token = _open.set(_Unit(stack, _depth()))
        try:
            yield
        finally:
            _open.reset(token)


def end_unit_of_work() -> None:
    """Commit what the request did so far, and hold no transaction any more.

    Does nothing where there is none. UnitOfWorkOpen within a nested `acting_as`, which
    would be left without the transaction that it is part of.
    """
    unit = _open.get()
    if unit is None:
        return
    if _depth() != unit.depth:
        raise UnitOfWorkOpen("end_unit_of_work() within a nested transaction")
    _open.set(None)
    unit.stack.close()


def roll_back_unit_of_work() -> None:
    """Let nothing of it be kept, unless it has ended already."""
    if _open.get() is not None:
        transaction.set_rollback(True)


def refuse_open_unit_of_work() -> None:
    """For whatever waits for another server: UnitOfWorkOpen inside a request's."""
    if _open.get() is not None:
        raise UnitOfWorkOpen("call end_unit_of_work() before")


def _depth() -> int:
    return len(connection.atomic_blocks)
