"""Finds migrations that would lock, or break, the version that is running.

Static: it reads the migrations, never a database. `<app>/migrations/released.txt` names
the last migration that the last release carries. What came up to there is history and
is not judged; every later migration runs while that release is serving people, and is
held to `migration_rules`. An app without the file has never been released: nobody is
using its tables.

A migration may answer for itself, by a reason that is shown at every run:

    safe_because = {"index user.idx_users_phone": "The table holds five rows."}
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db.migrations import Migration
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.operations.base import Operation

from pingvas.core.db.migration_context import Context, Danger, Known, name_of
from pingvas.core.db.migration_rules import dangers_of

# The one part of our own code that a migration may import: it stays when models go.
LASTING = "pingvas.core.db"
Node = tuple[str, str]


class UnknownRelease(ValueError):
    """released.txt names a migration that is not there."""


@dataclass(frozen=True)
class Finding:
    """One danger in one migration; `reason` is what its author says for it, if any."""

    migration: Migration
    operation: str
    danger: Danger
    reason: str | None

    @property
    def key(self) -> str:
        return f"{self.danger.rule} {self.danger.target}"


def find_dangers(
    graph: MigrationGraph,
    apps: Mapping[str, str],
    released: Mapping[str, str],
    real_apps: Collection[str] = (),
) -> list[Finding]:
    """Judge every migration after the last release, in the order of their plan.

    `apps` maps our app labels to their packages, `released` labels to the names in
    their released.txt. Raises UnknownRelease.
    """
    marks = [(label, name) for label, name in sorted(released.items())]
    if missing := [mark for mark in marks if mark not in graph.nodes]:
        raise UnknownRelease(".".join(missing[0]))
    # The stubs want a list, Django itself a set.
    state = graph.make_state(marks, real_apps=set(real_apps))  # type: ignore[arg-type]
    known = Known.of(state)
    findings = []
    for migration in _later_than(graph, marks):
        if migration.app_label in apps:
            findings += _judge(migration, Context(migration, state, known), apps)
        else:
            migration.mutate_state(state, preserve=False)
    return findings


def _later_than(graph: MigrationGraph, marks: list[Node]) -> Iterator[Migration]:
    seen = {node for mark in marks for node in graph.forwards_plan(mark)}
    for leaf in graph.leaf_nodes():
        for node in graph.forwards_plan(leaf):
            migration = graph.nodes[node]
            if node not in seen and migration is not None:
                seen.add(node)
                yield migration


def _judge(
    migration: Migration, context: Context, apps: Mapping[str, str]
) -> list[Finding]:
    """Judge one migration and take `context.before` to the state after it."""
    found: list[tuple[str, Danger]] = []
    for operation in migration.operations:
        said = _say(operation)
        found += [(said, danger) for danger in dangers_of(operation, context)]
        operation.state_forwards(migration.app_label, context.before)
    found += [("import", danger) for danger in _imports(migration, apps)]
    reasons = dict(getattr(migration, "safe_because", {}))
    findings = [
        Finding(migration, said, danger, reasons.get(f"{danger.rule} {danger.target}"))
        for said, danger in found
    ]
    used = {finding.key for finding in findings}
    return findings + [_stale(migration, key) for key in reasons if key not in used]


def _say(operation: Operation) -> str:
    return f"{type(operation).__name__} {name_of(operation)}"


def _stale(migration: Migration, key: str) -> Finding:
    danger = Danger(
        "stale-reason",
        key,
        "It answers for a danger that is not there (any more).",
        "nothing: take it out",
    )
    return Finding(migration, "safe_because", danger, None)


def _imports(migration: Migration, apps: Mapping[str, str]) -> Iterator[Danger]:
    ours = {package.partition(".")[0] for package in apps.values()} | {"pingvas"}
    for module in sorted(set(_modules_imported(migration))):
        inside = f"{module}." if not module.endswith(".") else module
        if module.partition(".")[0] in ours and not inside.startswith(f"{LASTING}."):
            yield Danger(
                "import",
                module,
                "The code will change, and this migration must go on doing what it "
                "did.",
                f"apps.get_model(), or what is in {LASTING}",
            )


def _modules_imported(migration: Migration) -> Iterator[str]:
    file = sys.modules[type(migration).__module__].__file__
    tree = ast.parse(Path(file).read_text(encoding="utf-8") if file else "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
