"""Settle and complete jobs: the services beside their own statements from pgbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import Pool

from bench.clients import Work, open_clients, rate_of
from bench.filling import (
    FIRST,
    analyze,
    fill_running_jobs,
    fill_users,
    numbered_id,
    open_administrator,
)
from bench.finishing import finish
from bench.processors import Meter
from bench.report import Ratio, Rounds
from bench.statements import record_statements, run_pgbench, script_of
from billing.services.holds import settle_hold
from generation.services.lifecycle import Attempt
from pingvas.core.db.actor import SERVICE, acting_as


@dataclass(frozen=True)
class Size:
    """`each`: calls of one client in one round."""

    rounds: int
    each: int
    clients: int = 4


SIZES = {True: Size(rounds=3, each=50), False: Size(rounds=10, each=300)}
TINIEST = Size(rounds=2, each=5, clients=1)


def measure(*, small: bool, size: Size | None = None) -> list[Ratio]:
    """Settlements a second, and for the record whole completions."""
    size = size or SIZES[small]
    block = size.rounds * size.each * size.clients
    settle = _Case(settle_one, size, first=FIRST)
    complete = _Case(complete_one, size, first=FIRST + 4 * block)
    settled, completed = settle.run(_settle_many), complete.run(_complete_many)
    return [
        settled.mean_ratio(
            name="settled jobs a second",
            unit="1/s",
            goal=">= 0.5",
            note=f"settle_hold as the service, {size.clients} processes, each of which "
            "also tells Redis; pgbench with the recorded statements, as many clients; "
            + settled.in_words(),
        ),
        settle.meter.ratio(),
        completed.mean_ratio(
            name="completed jobs a second",
            unit="1/s",
            note="complete_job with picture row, settlement, queue place and wake-up; "
            "pgbench with the recorded statements (events are not SQL); "
            + completed.in_words(),
        ),
        complete.meter.ratio(),
    ]


def settle_one(number: int) -> None:
    """Settle job `number` in a transaction of its own."""
    with acting_as(SERVICE):
        settle_hold(job_id=numbered_id(number), milliseconds=1500)


def complete_one(number: int) -> None:
    """Complete job `number` with a picture that is stored already."""
    job_id = numbered_id(number)
    finish(Attempt(job_id=job_id, user_id=job_id, number=1))


def _settle_many(first: int, count: int) -> None:
    for number in range(first, first + count):
        settle_one(number)


def _complete_many(first: int, count: int) -> None:
    for number in range(first, first + count):
        complete_one(number)


class _Case:
    """One service call: its statements, and fresh rows for both sides."""

    def __init__(self, call: Callable[[int], None], size: Size, *, first: int) -> None:
        self._call = call
        self._size = size
        self._next = first
        self.meter = Meter()

    def run(self, work: Work) -> Rounds:
        script, clients = self._script(), self._size.clients
        with open_clients(clients) as pool:
            # Imports, connections and plans are not what is measured.
            rate_of(pool, work, clients=clients, first=self._rows(8), each=2)
            return Rounds.swap(
                self._size.rounds,
                lambda: self._ours(pool, work),
                lambda: self._pgbench(script),
            )

    def _ours(self, pool: Pool, work: Work) -> float:
        each, clients = self._size.each, self._size.clients
        first = self._rows(each * clients)
        return self.meter.ours(
            lambda: rate_of(pool, work, clients=clients, each=each, first=first),
            each * clients,
        )

    def _script(self) -> str:
        first = self._rows(2)
        self._call(first)
        with record_statements() as statements:
            self._call(first + 1)
        return script_of(statements, {str(first + 1): ":n"})

    def _pgbench(self, script: str) -> float:
        """Each client has numbers of its own, a million apart."""
        each, clients = self._size.each, self._size.clients
        base = self._rows(0) + 100_000_000
        with open_administrator() as admin:
            for client in range(clients):
                fill_users(admin, base + client * 1_000_000 + 1, each)
                fill_running_jobs(admin, base + client * 1_000_000 + 1, each)
            analyze(admin)
        self._next += each
        variables = {"base": base, "first_user": 0}
        return self.meter.other(
            lambda: run_pgbench(
                script, clients=clients, transactions=each, variables=variables
            ),
            each * clients,
        )

    def _rows(self, count: int) -> int:
        """Make users with a running job each; the number of the first."""
        first = self._next
        self._next += count
        if count:
            with open_administrator() as admin:
                fill_users(admin, first, count)
                fill_running_jobs(admin, first, count)
                analyze(admin)
        return first
