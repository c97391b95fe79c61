"""Nothing gets past the policies: by a view, by a function, by a pooled connection."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import DataError, connection, connections, transaction

from accounts.models import User
from pingvas.core.db.actor import (
    IDENTITY,
    NOBODY,
    SERVICE,
    Actor,
    acting_as,
    become,
    current_actor,
    user_actor,
)
from tests.cast import make_user
from tests.core.row_security_probe import REFUSED, Stage
from tests.core.row_security_world import World, a_world
from tests.database import admin_connection, app_connection

TASKS = 240
WHO_ACTS = """SELECT current_user, session_user,
    coalesce(current_setting('app.current_user_id', true), ''),
    (SELECT count(*) FROM users)"""
NOBODY_ACTS = ("app_user", "app_user", "", 0)


@pytest.fixture
def world(django_db_setup: Any) -> Iterator[World]:
    with a_world() as world:
        yield world


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    """With the statistics refreshed, for this transaction alone."""
    with app_connection() as app:
        app.execute(SERVICE.statement)
        app.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY user_stats")
        app.execute(NOBODY.statement)
        yield Stage(app)
        app.rollback()


def ids(stage: Stage, actor: Actor, view: str) -> Any:
    query = f"SELECT user_id FROM {view}"  # noqa: S608  # our names
    return stage.attempt(actor, lambda run: {row[0] for row in run.execute(query)})


def test_people_get_their_own_statistics_and_the_service_all(world, stage):
    alice = user_actor(world.alice.id)
    everybody = world.all_keys("users")
    assert ids(stage, alice, "user_stats_own") == {world.alice.id}
    assert ids(stage, NOBODY, "user_stats_own") == set()
    assert ids(stage, SERVICE, "user_stats") == everybody
    assert ids(stage, alice, "user_stats") == REFUSED
    assert ids(stage, IDENTITY, "user_stats") == REFUSED
    assert ids(stage, IDENTITY, "user_stats_own") == REFUSED


def test_only_the_service_refreshes_the_statistics(world, stage):
    for actor in (NOBODY, IDENTITY, user_actor(world.alice.id)):
        got = stage.count(actor, "REFRESH MATERIALIZED VIEW user_stats")
        assert got == REFUSED


@pytest.mark.parametrize(
    ("relation", "column"), [("users", "id"), ("user_stats_own", "user_id")]
)
def test_a_cheap_function_in_a_query_is_shown_no_row_of_others(
    world, stage, relation, column
):
    """The planner would call it first, were the policy an ordinary condition."""
    seen: list[str] = []
    stage.connection.add_notice_handler(
        lambda notice: seen.append(notice.message_primary)
    )
    query = f"SELECT 1 FROM {relation} WHERE extensions.peek({column})"  # noqa: S608
    with admin_connection() as admin:
        admin.execute(
            """CREATE FUNCTION extensions.peek(uuid) RETURNS boolean
               LANGUAGE plpgsql COST 0.0001 AS $$
               BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"""
        )
        try:
            assert stage.count(user_actor(world.alice.id), query) == 1
        finally:
            stage.connection.rollback()
            admin.execute("DROP FUNCTION extensions.peek(uuid)")
    assert seen == [str(world.alice.id)]


def test_rows_of_others_cannot_be_locked_or_joined_to(world, stage):
    alice = user_actor(world.alice.id)
    lock = "SELECT 1 FROM boards FOR UPDATE"
    assert stage.count(alice, lock) == len(world.keys["boards"]["alice"])
    join = """SELECT 1 FROM boards JOIN users ON users.id <> boards.user_id
              JOIN images ON images.user_id = users.id"""
    assert stage.count(alice, join) == 0


def visit(task: int, people: list[Any]) -> tuple[Any, set[Any]]:
    """One turn on a pooled connection: who acted at first, and whom it showed then."""
    chance = random.Random(task)
    user_id = chance.choice(people)
    connection.ensure_connection()
    before = connection.connection.execute(WHO_ACTS).fetchone()
    shown: set[Any] = set()
    try:
        with acting_as(user_actor(user_id)):
            shown = set(User.objects.values_list("id", flat=True))
            misbehave(chance.randrange(6))
    except (LookupError, DataError, psycopg.errors.DivisionByZero):
        pass
    finally:
        connection.close()
    assert current_actor() == NOBODY
    return before, shown - {user_id}


def misbehave(kind: int) -> None:
    if kind == 1:
        raise LookupError
    if kind == 2:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    if kind == 3:
        become(SERVICE)
        raise LookupError
    if kind == 4:
        transaction.set_rollback(True)
    if kind == 5:
        # Past Django, which does not know that the transaction is broken.
        become(IDENTITY)
        connection.connection.execute("SELECT 1 / 0")


@pytest.mark.django_db(transaction=True)
def test_a_pooled_connection_keeps_nothing_of_who_used_it_before():
    people = [make_user(f"user{number}").id for number in range(5)]
    connection.close()
    with ThreadPoolExecutor(8) as threads:
        turns = list(threads.map(lambda task: visit(task, people), range(TASKS)))
    assert {before for before, _ in turns} == {NOBODY_ACTS}
    assert set().union(*(others for _, others in turns)) == set()
    assert_pool_is_clean(connections["default"].pool)


def assert_pool_is_clean(pool: Any) -> None:
    # Those that lie in the pool: a thread of another test may keep one still.
    idle = pool.get_stats()["pool_available"]
    held: list[Any] = []
    try:
        held += [pool.getconn() for _ in range(idle)]
        # Fewer connections than turns: each had many users.
        assert len(held) < TASKS / 4
        assert {one.execute(WHO_ACTS).fetchone() for one in held} == {NOBODY_ACTS}
    finally:
        for one in held:
            pool.putconn(one)


@pytest.mark.django_db(transaction=True)
def test_a_setting_of_the_session_would_be_seen_to_leak():
    """Control: so the specification's example would show the next user its rows."""
    alice = make_user("alice")
    connection.close()
    pool = connections["default"].pool
    with pool.connection() as held:
        held.execute(f"SET app.current_user_id = '{alice.id}'")
    with pytest.raises(AssertionError):
        assert_pool_is_clean(pool)
    connections["default"].close_pool()
