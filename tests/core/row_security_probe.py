"""The matrix of row-level security: every role, every table, every verb.

Statements carry neither WHERE nor RETURNING. With one PostgreSQL would apply the
SELECT policies as well, and these would hide a hole in the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from pingvas.core.db.actor import IDENTITY, NOBODY, SERVICE, Actor, user_actor
from tests.core.row_security_tables import DELETE, INSERT, PRIVATE, READ, UPDATE, Row
from tests.core.row_security_world import EVERYBODY, World, insert

REFUSED = "refused"
FIXED = "RestrictViolation"


@dataclass(frozen=True)
class Stage:
    """A connection to try things on; nothing that is tried there stays.

    `login` makes a superuser's connection the role's own, for control tests that see
    their changed policies in the transaction that changed them alone.
    """

    connection: Any
    login: str = ""

    def attempt(self, actor: Actor, act: Any) -> Any:
        """What `act(connection)` returns, REFUSED, or the name of another error."""
        execute = self.connection.execute
        become = f"SET LOCAL SESSION AUTHORIZATION {self.login};" if self.login else ""
        execute(f"SAVEPOINT attempt; {become} {actor.statement}")
        try:
            return act(self.connection)
        except psycopg.errors.InsufficientPrivilege:
            return REFUSED
        except psycopg.Error as error:
            return type(error).__name__
        finally:
            execute("ROLLBACK TO attempt; RELEASE attempt")

    def count(self, actor: Actor, statement: str, values: Any = ()) -> Any:
        """How many rows the statement changed."""
        return self.attempt(actor, lambda run: run.execute(statement, values).rowcount)

    def insert(self, actor: Actor, table: str, row: Row) -> Any:
        return self.attempt(actor, lambda run: insert(run, table, row).rowcount)

    def keys(self, actor: Actor, table: str) -> Any:
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
    def entry(self) -> Any:
        return PRIVATE[self.table]

    def _expect(self, what: str, wanted: Any, got: Any) -> Iterator[str]:
        if got not in (wanted if isinstance(wanted, list) else [wanted]):
            yield f"{self.table}: {what}: {got}"

    def _owner(self) -> Iterator[str]:
        """Alice sees, changes and deletes her rows, and no others."""
        alice, own = user_actor(self.world.alice.id), self.world.keys[self.table]
        mine, public = own["alice"], own.get(EVERYBODY, set())
        yield from self._expect(
            "SELECT by owner", mine | public, self.app.keys(alice, self.table)
        )
        for verb, statement in (
            (UPDATE, f"UPDATE {self.table} SET {self.entry.touch}"),  # noqa: S608
            (DELETE, f"DELETE FROM {self.table}"),  # noqa: S608  # our names
        ):
            allowed = verb in self.entry.verbs
            wanted = len(mine) if allowed else [0, REFUSED]
            yield from self._expect(
                f"{verb} by owner", wanted, self.app.count(alice, statement)
            )
        if UPDATE in self.entry.verbs:
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
            refused = FIXED if column in self.entry.fixed else REFUSED
            yield from self._expect(what, 1 if wanted else refused, got)

    def _values(self, person: Any) -> Iterator[tuple[bool, Row]]:
        bob = self.world.bob
        for column, thing in self.entry.references.items():
            yield True, {column: thing(person)}
            yield False, {column: thing(bob)}
        for column, thing in self.entry.shared.items():
            yield True, {column: thing(bob)}
        for row in self.entry.refused:
            yield False, row

    def _stranger(self) -> Iterator[str]:
        """Carol, who has no such row yet, makes one of hers, and none of bob's."""
        carol = user_actor(self.world.carol.id)
        allowed = INSERT in self.entry.verbs
        for wanted, values in [(True, {}), *self._values(self.world.carol)]:
            row = self.entry.row(self.world.carol) | values
            if values.get("user_id") == self.world.bob.id:
                theirs = self.entry.row(self.world.bob)
                row |= {column: theirs[column] for column in self.entry.follows}
            may = allowed and wanted
            what = f"INSERT {', '.join(values)} {'allowed' if wanted else 'foreign'}"
            yield from self._expect(
                what, 1 if may else REFUSED, self.app.insert(carol, self.table, row)
            )
        row = self.entry.row(self.world.bob)
        yield from self._expect(
            "INSERT for another", REFUSED, self.app.insert(carol, self.table, row)
        )

    def _nobody(self) -> Iterator[str]:
        public = self.world.keys[self.table].get(EVERYBODY, set())
        yield from self._expect(
            "SELECT by nobody", public, self.app.keys(NOBODY, self.table)
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
        yield from self._role("service", self.app, SERVICE, self.entry.service_verbs)

    def _identity(self) -> Iterator[str]:
        users = frozenset({READ, INSERT, UPDATE})
        verbs = users if self.table == "users" else frozenset()
        yield from self._role("identity", self.app, IDENTITY, verbs)

    def _analyst(self) -> Iterator[str]:
        yield from self._role("readonly", self.readonly, NOBODY, frozenset({READ}))

    def _role(
        self, name: str, stage: Stage, actor: Actor, verbs: frozenset[str]
    ) -> Iterator[str]:
        """A role that sees every row or none, and does with all what `verbs` says."""
        everything = self.world.all_keys(self.table)
        update = f"UPDATE {self.table} SET {self.entry.touch}"  # noqa: S608
        for verb, wanted, got in (
            (READ, everything, stage.keys(actor, self.table)),
            (INSERT, 1, stage.insert(actor, self.table, self._new())),
            (UPDATE, len(everything), stage.count(actor, update)),
            (DELETE, 1, self._delete_a_new_one(stage, actor, DELETE in verbs)),
        ):
            expected = wanted if verb in verbs else REFUSED
            yield from self._expect(f"{verb} by {name}", expected, got)

    def _new(self) -> Row:
        return self.entry.row(self.world.carol)

    def _delete_a_new_one(self, stage: Stage, actor: Actor, may_insert: bool) -> Any:
        # Not all of them: the ledger keeps its users from being deleted.
        new, key = self._new(), self.entry.key

        def act(run: Any) -> int:
            if may_insert:
                insert(run, self.table, new)
            statement = f"DELETE FROM {self.table} WHERE {key} = %s"  # noqa: S608
            deleted: int = run.execute(statement, [new[key]]).rowcount
            return deleted

        return stage.attempt(actor, act)
