"""One version of the studio, ready to be measured; started by `bench.versions`.

Runs this file with another checkout as its folder, so that everything imported here is
that version's own: name only what both versions have, under the same names. A line of
JSON on standard input asks, `["settle", 100, 50]`; a line of JSON answers. Whoever is
not asked stands still.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import house

# Users who submit, and users who list; each has one connection.
CLIENTS = 8
# Processes that complete jobs.
SETTLERS = 4
# Of one user: more than a full page of jobs and of pictures.
BATCHES, BATCH = 3, 8
PASSWORD = "seven stars above a house"  # noqa: S105 - of accounts that live a minute
# Where numbers begin, counted from the first that `bench.filling` can make.
GROUPS = {"submitters": 0, "readers": 100}
RUNNING = 1_000_000


class Probe:
    """What a version is asked for, by name; every answer goes into JSON."""

    def __init__(self, ports: list[int], settlers: Pool) -> None:
        self._ports = ports
        self._settlers = settlers
        self._running = RUNNING

    def ports(self) -> list[int]:
        """Of the web's processes: one each, so that clients fall evenly on them."""
        return self._ports

    def tokens(self, group: str) -> list[str]:
        """Fresh access tokens of a group's users: they are good for minutes."""
        from accounts.tokens import issue_tokens

        return [issue_tokens(user=user).access for user in _users(group)]

    def accounts(self, count: int) -> list[str]:
        """New accounts' e-mail addresses; PASSWORD opens them."""
        from accounts.services import sign_up

        emails = [f"{uuid4()}@example.com" for _ in range(count)]
        for email in emails:
            sign_up(email=email, password=PASSWORD)
        return emails

    def fill_running(self, count: int) -> int:
        """So many users with a running job; the number of the first."""
        from bench.filling import FIRST, fill_running_jobs, fill_users

        first = FIRST + self._running
        self._running += count
        with _administrator() as admin:
            fill_users(admin, first, count)
            fill_running_jobs(admin, first, count)
        return first

    def settle(self, first: int, each: int) -> float:
        """Complete jobs by number; how many a second."""
        from bench.clients import rate_of

        return rate_of(
            self._settlers, _complete_many, clients=SETTLERS, first=first, each=each
        )

    def rest(self) -> None:
        """Do now what PostgreSQL would else do while somebody is measured."""
        with _administrator() as admin:
            admin.execute("VACUUM (ANALYZE)")
            admin.execute("CHECKPOINT")

    def spent(self) -> float:
        """Seconds of the processors so far, by this version's servers and programs."""
        from bench.processors import spent_seconds

        return spent_seconds()


@contextmanager
def open_probe(processes: int) -> Iterator[Probe]:
    """Fill the database, and start the web and the settlers."""
    from bench.clients import open_clients
    from bench.programs import open_web

    _leave_vacuum_to_us()
    fill()
    with ExitStack() as stack:
        ports = [stack.enter_context(open_web()) for _ in range(processes)]
        settlers = stack.enter_context(open_clients(SETTLERS))
        yield Probe(ports, settlers)


def _leave_vacuum_to_us() -> None:
    """`rest` does its work, at a time that is the same for both versions."""
    with _administrator() as admin:
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        admin.execute("SELECT pg_reload_conf()")


def fill() -> None:
    """Make the users of both groups, a model, and the readers' pictures."""
    from bench.filling import FIRST, add_model, fill_users

    with _administrator() as admin:
        for start in GROUPS.values():
            fill_users(admin, FIRST + start, CLIENTS)
    add_model()
    for user in _users("readers"):
        _draw_page(user)


def _draw_page(user: Any) -> None:
    """Let the user have finished jobs with pictures, as the services leave them."""
    from bench.finishing import finish
    from generation.services.schedule import WorkerOffer, attempt_of, claim_jobs
    from generation.services.submit import submit_jobs
    from pingvas.core.db.actor import SERVICE, acting_as, user_actor

    wish = _wish(
        model="starter", prompt="a star", width=128, height=128, seeds=(*range(BATCH),)
    )
    for _ in range(BATCHES):
        with acting_as(user_actor(user.id)):
            submit_jobs(user=user, **wish)
    offer = WorkerOffer(worker_id=uuid4(), tiers=[user.tier])
    while True:
        with acting_as(SERVICE):
            jobs = claim_jobs(offer)
        if not jobs:
            return
        for job in jobs:
            finish(attempt_of(job))


def _wish(**settings: Any) -> dict[str, Any]:
    """What `submit_jobs` takes, in this version and in the one before."""
    try:
        from pingvas.recipe.recipe import Recipe
    except ImportError:
        specs = import_module("generation.specs")
        return {"spec": specs.GenerationSpec(**settings)}
    return {"recipe": Recipe(**settings)}


def _users(group: str) -> list[Any]:
    from accounts.models import User
    from bench.filling import FIRST, numbered_id
    from pingvas.core.db.actor import SERVICE, acting_as

    first = FIRST + GROUPS[group]
    ids = [numbered_id(number) for number in range(first, first + CLIENTS)]
    with acting_as(SERVICE):
        return list(User.objects.filter(id__in=ids).order_by("id"))


def _administrator() -> Any:
    from bench.filling import open_administrator

    return open_administrator()


def _complete_many(first: int, count: int) -> None:
    from bench.cases.settle import complete_one

    for number in range(first, first + count):
        complete_one(number)


def main() -> None:
    """Answer until standard input ends; the argument is the folder for the data."""
    house.HOMES = Path(sys.argv[1])
    processes = os.cpu_count() or 1
    with (
        house.open_servers(),
        house.open_studio("before"),
        open_probe(processes) as probe,
    ):
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            answer = getattr(probe, name)(*arguments)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
