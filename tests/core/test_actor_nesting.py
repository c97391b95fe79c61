"""Whatever is entered, changed, raised or rolled back: Python and PostgreSQL agree."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.db import DataError, connection, transaction
from django.db.transaction import TransactionManagementError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pingvas.core.db.actor import (
    IDENTITY,
    NOBODY,
    SERVICE,
    Actor,
    ActorOutsideTransaction,
    acting_as,
    become,
    current_actor,
    user_actor,
)

ALICE, BOB = user_actor(UUID(int=1)), user_actor(UUID(int=2))


@dataclass(frozen=True)
class Become:
    actor: Actor


@dataclass(frozen=True)
class FailInSql:
    """A statement that fails, in a savepoint of its own, after a change of actor."""

    actor: Actor


@dataclass(frozen=True)
class Block:
    """`actor` None is a plain atomic(); `end` is return, raise or rollback-only."""

    actor: Actor | None
    end: str = "return"
    savepoint: bool = True
    body: tuple[object, ...] = ()

    def enter(self) -> AbstractContextManager[None]:
        if self.actor is None:
            return transaction.atomic(savepoint=self.savepoint)
        return acting_as(self.actor, savepoint=self.savepoint)


class Stop(Exception):
    pass


def observe() -> None:
    """Asks PostgreSQL who acts, wherever a query is possible at all."""
    if connection.in_atomic_block and connection.needs_rollback:
        return
    # The connection's own cursor: outside a transaction ours would refuse an actor.
    if connection.connection is None:
        connection.connect()
    row = connection.connection.execute(
        "SELECT current_user, current_setting('app.current_user_id', true)"
    ).fetchone()
    role, user_id = row
    actor = current_actor()
    assert role == ("app_user" if actor.role == "NONE" else actor.role)
    assert (user_id or "") == str(actor.user_id or "")


def run(steps: tuple[object, ...], *, scoped: bool) -> None:
    for step in steps:
        if isinstance(step, Block):
            run_block(step, scoped=scoped or step.actor is not None)
        elif not scoped:
            with pytest.raises(ActorOutsideTransaction):
                become(step.actor)
        elif isinstance(step, Become):
            become(step.actor)
        else:
            fail_in_sql(step.actor)
        observe()


def run_block(block: Block, *, scoped: bool) -> None:
    before = current_actor()
    try:
        with block.enter():
            observe()
            run(block.body, scoped=scoped)
            if block.end == "raise":
                raise Stop
            if block.end == "rollback-only":
                transaction.set_rollback(True)
    except (Stop, TransactionManagementError):
        failed = True
    else:
        failed = False
    if block.actor is not None or (failed and not still_broken()):
        assert current_actor() == before


def still_broken() -> bool:
    """An error inside a block without a savepoint spoils the enclosing block too."""
    return connection.in_atomic_block and connection.needs_rollback


def fail_in_sql(actor: Actor) -> None:
    if still_broken():
        return
    with pytest.raises(DataError), transaction.atomic():
        divide_by_zero_as(actor)


def divide_by_zero_as(actor: Actor) -> None:
    become(actor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


actors = st.sampled_from([NOBODY, ALICE, BOB, IDENTITY, SERVICE])
steps = st.recursive(
    st.builds(Become, actors) | st.builds(FailInSql, actors),
    lambda inner: st.builds(
        Block,
        actor=st.none() | actors,
        savepoint=st.booleans(),
        end=st.sampled_from(["return", "return", "raise", "rollback-only"]),
        body=st.lists(inner, max_size=4).map(tuple),
    ),
    max_leaves=12,
)


# A block that became the service and was rolled back: the user acts again.
BECAME_AND_FAILED = Block(ALICE, body=(Block(None, "raise", body=(Become(SERVICE),)),))


@pytest.mark.django_db(transaction=True)
@settings(max_examples=120, deadline=None, database=None, derandomize=True)
@given(st.lists(steps, max_size=4).map(tuple))
@example((BECAME_AND_FAILED,))
def test_the_database_acts_as_the_current_actor_at_every_step(program):
    run(program, scoped=False)
    assert current_actor() == NOBODY
    assert not connection.in_atomic_block
    observe()
