"""This version beside the version before it, in turns: is anything slower now?

Both have a PostgreSQL, a Redis and web processes of their own ready; while one is
measured, the other stands still. The clients over HTTP are the same for both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.pool import Pool

from bench.clients import rate_of
from bench.http_client import HttpClient, get_request, post_request
from bench.probe import CLIENTS, PASSWORD, SETTLERS
from bench.report import Ratio, Rounds, say
from bench.versions import Side, open_versions, version_before

GOAL = ">= 0.95"
FULL_PAGE = 20
JOBS, PICTURES, TOKENS = "/api/v1/jobs", "/api/v1/images", "/api/v1/auth/token"
WISH = {
    "model": "starter",
    "prompt": "a star",
    "width": 128,
    "height": 128,
    "seeds": [7],
}
# A hash fills a core: more of them at once would only wait for each other.
SIGNERS = os.cpu_count() or 1


@dataclass(frozen=True)
class Size:
    """Calls of one client in one round, but for `rounds`."""

    rounds: int
    submissions: int
    completions: int
    lists: int
    sign_ins: int


SIZES = {
    True: Size(rounds=3, submissions=20, completions=50, lists=20, sign_ins=5),
    False: Size(rounds=10, submissions=80, completions=300, lists=125, sign_ins=12),
}
TINIEST = Size(rounds=2, submissions=1, completions=1, lists=1, sign_ins=1)


@dataclass
class Subject:
    """One kind of call.

    prepare: makes on a side what the calls need; what it returns makes them and tells
        how many a second there were.
    processor: milliseconds that the processors spent on one call.
    """

    name: str
    note: str
    calls: int
    prepare: Callable[[Side], Callable[[], float]]
    goal: str = GOAL
    processor: Rounds = field(default_factory=Rounds)

    def compare(self, this: Side, before: Side, rounds: int) -> list[Ratio]:
        """Rounds in turns, after one on each side that does not count."""
        for side in (this, before):
            self._measure(side, [])
        rates = Rounds.swap(
            rounds,
            lambda: self._measure(this, self.processor.ours),
            lambda: self._measure(before, self.processor.other),
        )
        return list(self._report(rates))

    def _measure(self, side: Side, milliseconds: list[float]) -> float:
        run = self.prepare(side)
        side.ask("rest")
        started = side.ask("spent")
        rate = run()
        # Less than a tick of ten milliseconds cannot be told.
        spent = max(side.ask("spent") - started, 0.01)
        milliseconds.append(spent / self.calls * 1000)
        return rate

    def _report(self, rates: Rounds) -> Iterator[Ratio]:
        name = f"{self.name} a second"
        _, high = rates.interval()
        mean = rates.mean_ratio(
            name=name,
            unit="1/s",
            note=f"{self.note}; beside them the version {version_before()[:12]}; "
            + rates.in_words(),
        )
        yield mean
        if self.goal:
            yield replace(
                mean,
                name="  upper end of the interval",
                ratio=high,
                goal=self.goal,
                note="of the mean ratio above, at 95 %",
            )
        yield self._processor_time()

    def _processor_time(self) -> Ratio:
        low, high = self.processor.interval()
        mean = self.processor.mean_ratio(name="  processor time of one", unit="ms")
        return replace(
            mean,
            ratio=1 / mean.ratio,
            note="of each version's servers and programs, without the clients over "
            "HTTP; the version before's over ours, 95 % interval "
            f"{1 / high:.3f} to {1 / low:.3f}",
        )


def measure(*, small: bool) -> list[Ratio]:
    """Submit, settle, list and, apart, sign in."""
    with open_versions() as (this, before), get_context("spawn").Pool(CLIENTS) as pool:
        return compare(this, before, pool, SIZES[small])


def compare(this: Side, before: Side, pool: Pool, size: Size) -> list[Ratio]:
    """Every subject, one after the other."""
    ratios: list[Ratio] = []
    for subject in _subjects(pool, size):
        # Both have started when both have answered.
        this.ask("ports"), before.ask("ports")
        say(f"   {subject.name}")
        ratios += subject.compare(this, before, size.rounds)
    return ratios


def _subjects(pool: Pool, size: Size) -> list[Subject]:
    return [
        Subject(
            name="submissions",
            note=f"POST {JOBS} by access token, a web process a core, {CLIENTS} kept "
            "connections",
            calls=CLIENTS * size.submissions,
            prepare=partial(_over_http, pool, _submissions, size.submissions, 201),
        ),
        Subject(
            name="completed jobs",
            note=f"complete_job by {SETTLERS} processes: picture row, settlement, "
            "queue place, wake-up and events",
            calls=SETTLERS * size.completions,
            prepare=partial(_completions, size.completions),
        ),
        Subject(
            name="lists of jobs",
            note=f"GET {JOBS}, the first page of {FULL_PAGE}",
            calls=CLIENTS * size.lists,
            prepare=partial(_over_http, pool, partial(_lists, JOBS), size.lists, 200),
        ),
        Subject(
            name="lists of pictures",
            note=f"GET {PICTURES}, the first page of {FULL_PAGE}",
            calls=CLIENTS * size.lists,
            prepare=partial(
                _over_http, pool, partial(_lists, PICTURES), size.lists, 200
            ),
        ),
        Subject(
            name="sign-ins",
            note=f"POST {TOKENS} with a password, {SIGNERS} kept connections; what one "
            "costs is chosen by the hash's parameters, hence without a goal",
            calls=SIGNERS * size.sign_ins,
            prepare=partial(_over_http, pool, _sign_ins, size.sign_ins, 200),
            goal="",
        ),
    ]


def _over_http(
    pool: Pool,
    requests_of: Callable[[Side], list[bytes]],
    each: int,
    status: int,
    side: Side,
) -> Callable[[], float]:
    """A client for each of the requests, `each` times; they share the web's ports."""
    requests = requests_of(side)
    work = partial(_send_many, side.ask("ports"), requests, status)
    clients = len(requests)
    return partial(rate_of, pool, work, clients=clients, first=0, each=each, apart=1)


def _completions(each: int, side: Side) -> Callable[[], float]:
    first = side.ask("fill_running", each * SETTLERS)
    return lambda: float(side.ask("settle", first, each))


def _submissions(side: Side) -> list[bytes]:
    body = json.dumps(WISH).encode()
    tokens = side.ask("tokens", "submitters")
    return [post_request(JOBS, body, token=token) for token in tokens]


def _lists(path: str, side: Side) -> list[bytes]:
    return [get_request(path, token=token) for token in side.ask("tokens", "readers")]


def _sign_ins(side: Side) -> list[bytes]:
    bodies = [
        json.dumps({"email": email, "password": PASSWORD}).encode()
        for email in side.ask("accounts", SIGNERS)
    ]
    return [post_request(TOKENS, body) for body in bodies]


def _send_many(
    ports: Sequence[int],
    requests: Sequence[bytes],
    status: int,
    client: int,
    count: int,
) -> None:
    """One client's calls on one connection; RuntimeError for any other answer."""
    http = HttpClient(ports[client % len(ports)], requests[client])
    try:
        for _ in range(count):
            answered, body = http.send()
            if answered != status:
                raise RuntimeError(f"answered {answered}: {body[:500]!r}")
        _check_page(body)
    finally:
        http.close()


def _check_page(body: bytes) -> None:
    answer = json.loads(body)
    if len(answer.get("results", range(FULL_PAGE))) != FULL_PAGE:
        raise RuntimeError("a list was not a full page")
