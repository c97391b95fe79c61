"""The figures of an upgrade, for people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.upgrade.clients import Stage
from bench.versions import version_before

if TYPE_CHECKING:
    from bench.upgrade.__main__ import Upgrade

INTRODUCTION = """# An upgrade under load

Written by `make slow`. The version before ({before}) makes data and goes on working: \
{clients} people submit, list, cancel and repeat over HTTP, two workers of it, a quick \
and a slow one, end jobs without an engine. This version provisions and migrates \
({provision:.1f} s and {migrate:.1f} s) meanwhile, starts beside it, and both serve \
the same people, now one and now the other; their workers have one queue. Then the web \
of before is drained and its workers are cut off in the middle of their work.

| While | seconds | requests | submissions | 5xx or else wrong | median | longest |
|---|---|---|---|---|---|---|
{stages}

When `migrate` began there were {met}. At the end there are {last}, {taken} of which \
clients were promised. {given_back} were given back at first, and {taken_back} taken \
back from workers that were cut off.

| Jobs taken by the web of | ended by workers of before | of this version |
|---|---|---|
{ends}

The rest was cancelled while it waited. {read} rows that the version before told of \
its ended jobs and pictures were compared with what this version tells of them.

| What would be wrong | found |
|---|---|
{faults}
{first}
{date}: {machine}.
"""


def page(upgrade: Upgrade, machine: Mapping[str, str], *, date: str) -> str:
    versions = (upgrade.before.name, upgrade.this.name)
    firsts = [f"{name}: {rows[0]}" for name, rows in upgrade.faults.items() if rows]
    return INTRODUCTION.format(
        before=version_before()[:12],
        clients=upgrade.clients,
        provision=upgrade.migrating["provision_database"],
        migrate=upgrade.migrating["migrate"],
        stages="\n".join(map(_stage, upgrade.tally.stages)),
        met=_counts(upgrade.met),
        last=_counts(upgrade.last),
        taken=len(upgrade.tally.taken),
        given_back=upgrade.given_back,
        taken_back=upgrade.taken_back,
        ends="\n".join(
            f"| {web} | {upgrade.ends[web, 'before']} | {upgrade.ends[web, 'this']} |"
            for web in versions
        ),
        read=upgrade.read_before,
        faults="\n".join(
            f"| {name} | {len(rows)} |" for name, rows in upgrade.faults.items()
        ),
        first="".join(f"\nThe first: {first}\n" for first in firsts),
        date=date,
        machine=", ".join(f"{key} {value}" for key, value in machine.items()),
    )


def _stage(stage: Stage) -> str:
    waits = sorted(stage.waits) or [0.0]
    submissions = stage.asked["submit"] + stage.asked["retry"]
    return (
        f"| {stage.name} | {stage.seconds:.1f} | {len(stage.waits)} | {submissions} | "
        f"{len(stage.wrong)} | {1000 * statistics.median(waits):.0f} ms | "
        f"{1000 * waits[-1]:.0f} ms |"
    )


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(found.items()))
