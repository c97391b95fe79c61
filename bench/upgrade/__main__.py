"""`make slow`: the version before and this one side by side, and no job lost.

The version before makes data and works on; this one migrates meanwhile, starts beside
it, and goes on alone. Writes `bench/UPGRADE.md`; the checks are tried in small by
`tests/contracts/test_upgrade.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import psycopg

from bench.house import open_database, open_servers
from bench.report import describe_machine, say
from bench.upgrade.clients import Client, Person, Tally, Webs, ask, at_work
from bench.upgrade.page import page
from bench.upgrade.versions import Program, Version
from bench.versions import ROOT, unpack, version_before

PAGE = ROOT / "bench" / "UPGRADE.md"
# Users of a tier, each of whom is one client.
EACH = 6
PAUSE_SECONDS = 0.2
# What a pass takes of a quick worker, and of one that has jobs running all the while.
PASSES = (0.01, 3.0)
MAKING_SECONDS = 600
DRY_SECONDS = 180
# A migration waits two seconds at a time for a lock: nobody should wait much longer.
LONGEST_SECONDS = 5
FINAL = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Size:
    """`ended`: jobs that have ended before the upgrade; seconds of each stage."""

    ended: int
    alone: int
    beside: int


def main() -> int:
    """The exit status: 1 when anything was lost, refused or broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.upgrade")
    parser.add_argument("--ended", type=int, default=3000, help="jobs made before")
    parser.add_argument("--alone", type=int, default=10, metavar="SECONDS")
    parser.add_argument("--beside", type=int, default=40, metavar="SECONDS")
    parser.add_argument("--keep", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    machine = describe_machine()
    size = Size(ended=options.ended, alone=options.alone, beside=options.beside)
    with open_servers(), open_database("upgrade") as database, _checkout() as before:
        upgrade = Upgrade(database, Version("before", before), Version("this", ROOT))
        upgrade.run(size)
    text = page(upgrade, machine, date=datetime.now(UTC).date().isoformat())
    say(text)
    if options.keep:
        PAGE.write_text(text)
    return int(any(upgrade.faults.values()))


@contextmanager
def _checkout() -> Iterator[Path]:
    folder = Path(os.environ["MEDIA_ROOT"]).parent / "checkout"
    shutil.rmtree(folder, ignore_errors=True)
    unpack(version_before(), folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass
class Upgrade:
    """One run.

    met, last: jobs by status when `migrate` began, and at the end.
    ends: by version that took a job and version that ended it.
    """

    database: str
    before: Version
    this: Version
    tally: Tally = field(default_factory=Tally)
    webs: Webs = field(default_factory=Webs)
    met: Counter[str] = field(default_factory=Counter)
    last: Counter[str] = field(default_factory=Counter)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    migrating: dict[str, float] = field(default_factory=dict)
    clients: int = 0
    given_back: int = 0
    taken_back: int = 0
    read_before: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)

    def run(self, size: Size) -> None:
        for version in (self.before, self.this):
            version.worker_log.unlink(missing_ok=True)
        self._migrate(self.before)
        people = [Person(*one) for one in self.before.make(EACH)]
        clients = [
            Client(person, self.webs, self.tally, seed)
            for seed, person in enumerate(people)
        ]
        self.clients = len(clients)
        with ExitStack() as stack:
            web = stack.enter_context(self.before.web())
            workers = _workers(stack, self.before)
            self.webs.add(self.before.name, web.said)
            told = self._make(clients, people, web.said, size)
            with at_work(clients, pause=PAUSE_SECONDS):
                ours = self._replace(stack, size)
                with self.tally.stage("the version before is stopped"):
                    self.webs.drain(self.before.name)
                    web.stop()
                    for worker in workers:
                        worker.cut_off()
                with self.tally.stage("this version alone"):
                    time.sleep(size.alone)
            self._run_dry()
            self._check(people, told, ours)

    def _migrate(self, version: Version) -> None:
        """As docs/upgrading.md says it."""
        for command in ("provision_database", "migrate"):
            began = time.monotonic()
            version.manage(command)
            self.migrating[command] = time.monotonic() - began

    def _make(
        self, clients: list[Client], people: list[Person], port: int, size: Size
    ) -> dict[str, Any]:
        """Jobs by the version before; what it says of those that have ended."""
        from bench.upgrade.checks import ended_rows

        with self.tally.stage("the version before fills its tables"):
            with at_work(clients, pause=0):
                _wait_until(lambda: len(self.tally.taken) >= size.ended + 300)
            _wait_until(lambda: self._ended() >= size.ended)
            told = {one.id: ended_rows(_getter(port, one.token)) for one in people}
        self.read_before = sum(map(len, told.values()))
        return told

    def _replace(self, stack: ExitStack, size: Size) -> int:
        """Migrate and start this version beside the other; the port of its web."""
        with self.tally.stage("the version before alone"):
            time.sleep(size.alone)
        self.met = self._statuses()
        with self.tally.stage("this version migrates"):
            self._migrate(self.this)
        with self.tally.stage("this version starts"):
            web = stack.enter_context(self.this.web())
            _workers(stack, self.this)
        with self.tally.stage("both side by side"):
            self.webs.add(self.this.name, web.said)
            time.sleep(size.beside)
        return int(web.said)

    def _run_dry(self) -> None:
        with self.tally.stage("everything runs dry"), suppress(RuntimeError):
            # What has not ended by then is named by the checks.
            _wait_until(
                lambda: self._ended() == sum(self._statuses().values()), DRY_SECONDS
            )
        self.last = self._statuses()

    def _check(self, people: list[Person], told: dict[str, Any], port: int) -> None:
        from bench.upgrade import checks

        ended = [*self.before.ended(), *self.this.ended()]
        self._count(ended)
        found = [
            self.tally.faults(longest=LONGEST_SECONDS),
            checks.check_rows(),
            checks.check_done(self.tally.taken, ended),
        ]
        for person in people:
            get = _getter(port, person.token)
            found.append(checks.check_lists(get))
            found.append(checks.check_read(told[person.id], checks.ended_rows(get)))
        self.faults = checks.together([*found, self._unmet()])

    def _count(self, ended: list[tuple[str, str]]) -> None:
        for version in (self.before, self.this):
            for job, how in version.ended():
                if how in FINAL:
                    self.ends[self.tally.taken.get(job, ""), version.name] += 1
        given = {job for job, how in ended if how == "given back"}
        with self._administrator() as admin:
            again = "SELECT id::text FROM generation_jobs WHERE attempt > 1"
            repeated = {row[0] for row in admin.execute(again).fetchall()}
        self.given_back, self.taken_back = len(given), len(repeated - given)

    def _unmet(self) -> dict[str, list[str]]:
        """What a run has to have had, or it shows nothing."""
        pairs = product((self.before.name, self.this.name), repeat=2)
        unmet = [f"jobs of {a} by {b}" for a, b in pairs if not self.ends[a, b]]
        unmet += [] if self.taken_back else ["jobs of workers that were cut off"]
        return {"never met": unmet}

    def _statuses(self) -> Counter[str]:
        with self._administrator() as admin:
            counts = "SELECT status, count(*) FROM generation_jobs GROUP BY status"
            return Counter(dict(admin.execute(counts).fetchall()))

    def _ended(self) -> int:
        found = self._statuses()
        return sum(found[status] for status in FINAL)

    def _administrator(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            os.environ["DATABASE_ADMIN_URL"],
            dbname=self.database,
            options=f"-c search_path={os.environ['DB_SCHEMA']}",
        )


def _workers(stack: ExitStack, version: Version) -> list[Program]:
    return [stack.enter_context(version.worker(seconds)) for seconds in PASSES]


def _getter(port: int, token: str) -> Any:
    def get(path: str) -> Mapping[str, Any]:
        status, answer = ask(port, "GET", path, token)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {answer}")
        found: Mapping[str, Any] = answer
        return found

    return get


def _wait_until(condition: Any, seconds: float = MAKING_SECONDS) -> None:
    from bench.programs import wait_until

    wait_until(condition, what="the jobs", seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
