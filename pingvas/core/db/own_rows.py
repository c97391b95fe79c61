"""Row-level security of a table whose rows are somebody's, written out once.

    OwnRows("uploads", may="SELECT, DELETE")

in the migration that makes the table: the house sees everything, analysts read it, and
whoever acts for a user reaches that user's rows by the verbs named, and no other row by
any. Which columns, and who may do what at all, is the list of rights' to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.migrations.operations import RunSQL
from django.db.migrations.operations.base import Operation

from pingvas.core.db.roles import with_role_names

ALL = "SELECT, INSERT, UPDATE, DELETE"
# Without an actor it matches nothing and raises nothing: a missing or emptied setting
# reads as NULL. The subquery makes PostgreSQL read it once a query.
ACTOR = "(SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)"


@dataclass(frozen=True)
class Reference:
    """`column` names a row of `table` by its id: the same user's, or what `or_public`
    lets be anybody's. Foreign-key checks ignore policies, so the policies ask.
    """

    column: str
    table: str
    or_public: bool = False
    required: bool = False

    def holds(self, ours: str, owner: str) -> str:
        """A condition over a row of the table `ours`, which is `owner`'s."""
        same = f"{self.table}.user_id = {owner}"
        if self.or_public:
            same = f"({same} OR {self.table}.is_public)"
        found = (
            f"EXISTS (SELECT 1 FROM {self.table}"  # noqa: S608  # our names
            f" WHERE {self.table}.id = {ours}.{self.column} AND {same})"
        )
        return found if self.required else f"({self.column} IS NULL OR {found})"


class OwnRows(RunSQL):
    """Close `table` to all but the house and the users that its rows are of.

    A row is its `user` column's; without one, whoever the row is of that `through`
    names. `may`: what its user may do with it. `public`: a condition for rows that
    every user may read. `refers`: what a row written by its user may name. `analysts`
    read it unless told otherwise, `identity` is for what signing in and up takes.
    """

    # The parent's tells of SQL.
    deconstruct = Operation.deconstruct

    def __init__(
        self,
        table: str,
        *,
        may: str = "SELECT",
        user: str = "user_id",
        through: Reference | None = None,
        public: str = "",
        refers: Sequence[Reference] = (),
        analysts: bool = True,
        identity: bool = False,
    ) -> None:
        self.table = table
        own = through.holds(table, ACTOR) if through else f"{user} = {ACTOR}"
        owner = ACTOR if through else f"{table}.{user}"
        written = " AND ".join([own, *(one.holds(table, owner) for one in refers)])
        self.policies = {
            **dict(_of_roles(analysts, identity)),
            **dict(_of_users(may, own, written, public)),
        }
        super().__init__(list(self._forward()), list(self._reverse()))

    def describe(self) -> str:
        return f"Close {self.table} to all but the house and its rows' users"

    def _forward(self) -> Iterator[str]:
        yield f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY"
        for name, rule in self.policies.items():
            words = f"CREATE POLICY {self.table}_{name} ON {self.table} {rule}"
            yield with_role_names(words)

    def _reverse(self) -> Iterator[str]:
        for name in self.policies:
            yield f"DROP POLICY {self.table}_{name} ON {self.table}"
        yield f"ALTER TABLE {self.table} DISABLE ROW LEVEL SECURITY"


def _of_roles(analysts: bool, identity: bool) -> Iterator[tuple[str, str]]:
    everything = "USING (true) WITH CHECK (true)"
    yield "service", f"TO service_user {everything}"
    if analysts:
        yield "readonly", "FOR SELECT TO readonly_user USING (true)"
    if identity:
        yield "identity", f"TO identity_user {everything}"


def _of_users(
    may: str, own: str, written: str, public: str
) -> Iterator[tuple[str, str]]:
    rules = {
        "SELECT": f"USING ({own})",
        "INSERT": f"WITH CHECK ({written})",
        "UPDATE": f"USING ({own}) WITH CHECK ({written})",
        "DELETE": f"USING ({own})",
    }
    for verb in filter(None, may.split(", ")):
        yield f"{verb.lower()}_own", f"FOR {verb} TO app_user {rules[verb]}"
    if public:
        yield "select_public", f"FOR SELECT TO app_user USING ({public})"
