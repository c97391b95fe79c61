"""A committed world of three people, for tests that look at it as each role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.core.row_security_tables import PRIVATE, Person, Row
from tests.database import flush_as_administrator, owner_connection

EVERYBODY = "everybody"


@dataclass
class World:
    """Alice and bob have a row in every table; carol has only what rows refer to.

    `keys[table][whose]` are the rows there, `everybody`'s being the public ones.
    """

    alice: Person
    bob: Person
    carol: Person
    keys: dict[str, dict[str, set[object]]] = field(default_factory=dict)

    def all_keys(self, table: str) -> set[object]:
        return set().union(*self.keys[table].values())

    def put(
        self, connection: Any, table: str, person: Person, whose: str = "", **over: Any
    ) -> None:
        row = {**PRIVATE[table].row(person), **over}
        insert(connection, table, row)
        keys = self.keys.setdefault(table, {}).setdefault(whose or person.name, set())
        keys.add(row[PRIVATE[table].key])


def insert(connection: Any, table: str, row: Mapping[str, object]) -> Any:
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    return connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608  # our names
        list(row.values()),
    )


@contextmanager
def a_world() -> Iterator[World]:
    world = World(Person("alice", 2), Person("bob", 1), Person("carol", 0))
    try:
        # No one role may write all of it.
        with owner_connection() as connection, connection.transaction():
            for person in (world.alice, world.bob, world.carol):
                _settle(connection, world, person)
            for person in (world.alice, world.bob):
                _furnish(connection, world, person)
            _publish(connection, world)
            _leave_what_was_put(connection, world)
        yield world
    finally:
        flush_as_administrator()


def _settle(connection: Any, world: World, person: Person) -> None:
    """What the rows of others may refer to."""
    address = f"{person.name}@example.com"
    world.put(connection, "users", person, id=person.id, email=address)
    world.put(connection, "subscriptions", person, id=person.subscription)
    world.put(connection, "submissions", person, id=person.submission)
    world.put(connection, "generation_jobs", person, id=person.spare_job)
    world.put(connection, "images", person, id=person.image, job_id=None)
    world.put(connection, "boards", person, id=person.board)


def _furnish(connection: Any, world: World, person: Person) -> None:
    world.put(connection, "credit_balances", person, balance=10 * person.postings)
    # Alice's second has no note: it is what carol's new one may be about.
    for number, key in enumerate((person.posting, world.carol.posting)):
        if number < person.postings:
            row: Row = {"sequence": number + 1, "balance_after": 10 * (number + 1)}
            world.put(connection, "credit_transactions", person, id=key, **row)
    for table in PRIVATE:
        if person.name not in world.keys.get(table, {}):
            world.put(connection, table, person)


def _publish(connection: Any, world: World) -> None:
    bob, public = world.bob, {"is_public": True}
    picture = {"id": bob.public_image, "job_id": None}
    world.put(connection, "images", bob, EVERYBODY, **picture, **public)
    world.put(connection, "workflows", bob, EVERYBODY, **public)
    for uploader in (None, world.alice.id):
        official = {"is_official": True, "uploaded_by_user_id": uploader}
        world.put(connection, "ai_models", bob, EVERYBODY, **official)


def _leave_what_was_put(connection: Any, world: World) -> None:
    """Triggers wrote deltas of the pictures, carol's too."""
    kept = list(world.all_keys("picture_storage_deltas"))
    connection.execute("DELETE FROM picture_storage_deltas WHERE id <> ALL(%s)", [kept])
