"""The matrix of row-level security: every role, every table, every verb.

Statements carry neither WHERE nor RETURNING. With one PostgreSQL would apply the
SELECT policies as well, and these would hide a hole in the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from pingvas.core.db import roles
from pingvas.core.db.actor import IDENTITY, NOBODY, SERVICE, Actor, user_actor
from pingvas.core.db.roles import WEB
from tests.core.row_security_tables import (
    DELETE,
    INSERT,
    PRIVATE,
    READ,
    UPDATE,
    Row,
    may,
    verbs_of,
)
from tests.core.row_security_world import EVERYBODY, World, insert

REFUSED = "refused"


@dataclass(frozen=True)
class Stage:
    """A connection to try things on; nothing that is tried there stays.

    `login` makes a superuser's connection the role's own, for control tests that see
    their changed policies in the transaction that changed them alone.
    """

    connection: Any
    login: str = ""

    def attempt(self, actor: Actor | None, act: Any) -> Any:
        """What `act(connection)` returns, REFUSED, or the name of another error.

        None acts as the login itself.
        """
        execute = self.connection.execute
        become = f"SET LOCAL SESSION AUTHORIZATION {self.login};" if self.login else ""
        execute(f"SAVEPOINT attempt; {become} {actor.statement if actor else ''}")
        try:
            return act(self.connection)
        except psycopg.errors.InsufficientPrivilege:
            return REFUSED
        except psycopg.Error as error:
            return type(error).__name__
        finally:
            execute("ROLLBACK TO attempt; RELEASE attempt")

    def count(self, actor: Actor | None, statement: str, values: Any = ()) -> Any:
        """How many rows the statement changed."""
        return self.attempt(actor, lambda run: run.execute(statement, values).rowcount)

    def insert(self, actor: Actor | None, table: str, row: Row) -> Any:
        return self.attempt(actor, lambda run: insert(run, table, row).rowcount)

    def keys(self, actor: Actor | None, table: str) -> Any:
        query = f"SELECT {PRIVATE[table].key} FROM {table}"  # noqa: S608  # our names
        return self.attempt(
            actor, lambda run: {row[0] for row in run.execute(query).fetchall()}
        )


@dataclass(frozen=True)
class Matrix:
    """Asks everything about one table; each question yields a line when it is wrong."""

    world: World
    table: str
    app: Stage
    readonly: Stage

    def violations(self) -> list[str]:
        found: list[str] = []
        for questions in (self._owner, self._stranger, self._nobody, self._service):
            found += questions()
        return found + list(self._identity()) + list(self._analyst())

    @property
    def verbs(self) -> frozenset[str]:
        """What people may do with their own rows."""
        return verbs_of(WEB, self.table)

    @property
    def entry(self) -> Any:
        return PRIVATE[self.table]

    def _expect(self, what: str, wanted: Any, got: Any) -> Iterator[str]:
        if got not in (wanted if isinstance(wanted, list) else [wanted]):
            yield f"{self.table}: {what}: {got}"

    def _owner(self) -> Iterator[str]:
        """Alice sees, changes and deletes her rows, and no others."""
        alice, own = user_actor(self.world.alice.id), self.world.keys[self.table]
        mine, public = own["alice"], own.get(EVERYBODY, set())
        seen = mine | public if READ in self.verbs else REFUSED
        yield from self._expect(
            "SELECT by owner", seen, self.app.keys(alice, self.table)
        )
        for verb, statement in (
            (UPDATE, f"UPDATE {self.table} SET {self.entry.touch}"),  # noqa: S608
            (DELETE, f"DELETE FROM {self.table}"),  # noqa: S608  # our names
        ):
            allowed = verb in self.verbs
            wanted = len(mine) if allowed else [0, REFUSED]
            yield from self._expect(
                f"{verb} by owner", wanted, self.app.count(alice, statement)
            )
        if UPDATE in self.verbs:
            yield from self._owner_refers(alice)

    def _owner_refers(self, alice: Actor) -> Iterator[str]:
        """Alice may not point her rows at bob's."""
        for wanted, values in self._values(self.world.alice):
            ((column, value),) = values.items()
            got = self.app.count(
                alice,
                f"UPDATE {self.table} SET {column} = %s",  # noqa: S608  # our names
                [value],
            )
            what = f"UPDATE {column} to {'allowed' if wanted else 'foreign'}"
            allowed = wanted and may(WEB, UPDATE, self.table, column)
            yield from self._expect(what, 1 if allowed else REFUSED, got)

    def _values(self, person: Any) -> Iterator[tuple[bool, Row]]:
        bob = self.world.bob
        for column, thing in self.entry.references.items():
            yield True, {column: thing(person)}
            yield False, {column: thing(bob)}
        for column, thing in self.entry.shared.items():
            yield True, {column: thing(bob)}

    def _stranger(self) -> Iterator[str]:
        """Carol, who has no such row yet, makes one of hers, and none of bob's."""
        carol = user_actor(self.world.carol.id)
        allowed = INSERT in self.verbs
        for wanted, values in [(True, {}), *self._values(self.world.carol)]:
            row = self.entry.row(self.world.carol) | values
            right = allowed and wanted
            what = f"INSERT {', '.join(values)} {'allowed' if wanted else 'foreign'}"
            yield from self._expect(
                what, 1 if right else REFUSED, self.app.insert(carol, self.table, row)
            )
        row = self.entry.row(self.world.bob)
        yield from self._expect(
            "INSERT for another", REFUSED, self.app.insert(carol, self.table, row)
        )

    def _nobody(self) -> Iterator[str]:
        public = self.world.keys[self.table].get(EVERYBODY, set())
        seen = public if READ in self.verbs else REFUSED
        yield from self._expect(
            "SELECT by nobody", seen, self.app.keys(NOBODY, self.table)
        )
        row = self.entry.row(self.world.carol)
        yield from self._expect(
            "INSERT by nobody", REFUSED, self.app.insert(NOBODY, self.table, row)
        )
        for verb, statement in (
            (UPDATE, f"UPDATE {self.table} SET {self.entry.touch}"),  # noqa: S608
            (DELETE, f"DELETE FROM {self.table}"),  # noqa: S608  # our names
        ):
            got = self.app.count(NOBODY, statement)
            yield from self._expect(f"{verb} by nobody", [0, REFUSED], got)

    def _service(self) -> Iterator[str]:
        yield from self._role("service", self.app, SERVICE, roles.SERVICE)

    def _identity(self) -> Iterator[str]:
        yield from self._role("identity", self.app, IDENTITY, roles.IDENTITY)

    def _analyst(self) -> Iterator[str]:
        yield from self._role("readonly", self.readonly, None, roles.ANALYST)

    def _role(
        self, name: str, stage: Stage, actor: Actor | None, role: str
    ) -> Iterator[str]:
        """A role that sees every row or none, and does with all what is listed."""
        verbs = verbs_of(role, self.table)
        everything = self.world.all_keys(self.table)
        update = f"UPDATE {self.table} SET {self.entry.touch}"  # noqa: S608
        for verb, wanted, got in (
            (READ, everything, stage.keys(actor, self.table)),
            (INSERT, 1, stage.insert(actor, self.table, self._new())),
            (UPDATE, len(everything), stage.count(actor, update)),
            (
                DELETE,
                int(INSERT in verbs),
                self._delete_a_new_one(stage, actor, INSERT in verbs),
            ),
        ):
            expected = wanted if verb in verbs else REFUSED
            yield from self._expect(f"{verb} by {name}", expected, got)

    def _new(self) -> Row:
        return self.entry.row(self.world.carol)

    def _delete_a_new_one(
        self, stage: Stage, actor: Actor | None, may_insert: bool
    ) -> Any:
        # Not all of them: the ledger keeps its users from being deleted.
        new, key = self._new(), self.entry.key

        def act(run: Any) -> int:
            if may_insert:
                insert(run, self.table, new)
            statement = f"DELETE FROM {self.table} WHERE {key} = %s"  # noqa: S608
            deleted: int = run.execute(statement, [new[key]]).rowcount
            return deleted

        return stage.attempt(actor, act)
