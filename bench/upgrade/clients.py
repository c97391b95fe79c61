"""People who submit, list, repeat and cancel, now at one web and now at the other."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from threading import Event, Lock
from typing import Any, NamedTuple
from uuid import uuid4

JOBS = "/api/v1/jobs"
PAGE = 100
# Nobody waits longer: what takes so long counts as unanswered.
PATIENCE_SECONDS = 60
# The one refusal that is right: a job that has not ended yet is not repeated.
REFUSED = (409, "job_not_finished")
SENT_AGAIN = 0.2
PROMPTS = ("a star", "밤하늘의 별 셋", 'a "blue" house, (fog:1.2)', "a cat\non a wall")
WISHES: dict[str, Sequence[Any]] = {
    "prompt": PROMPTS,
    "negative_prompt": ("", "fog", "흐림"),
    "width": (64, 128),
    "height": (64, 128),
    "steps": (1, 20, 37),
    "cfg_scale": ("1.5", 7.5, None),
    "sampler": ("", "ddim"),
    "seeds": ([7], [-1], [1, 2, 3, 4], [-1, 4294967295]),
}


class Person(NamedTuple):
    """A user with an access token."""

    id: str
    tier: str
    token: str


@dataclass
class Stage:
    """What was asked while one thing was going on."""

    name: str
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)


class Tally:
    """What all clients saw, stage by stage; which web took which job."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.taken: dict[str, str] = {}
        self._lock = Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Requests that begin meanwhile count here."""
        began = time.monotonic()
        stage = Stage(name)
        self.stages.append(stage)
        yield stage
        stage.seconds = time.monotonic() - began

    def faults(self, *, longest: float) -> dict[str, list[str]]:
        """What was answered wrongly, or only after so many seconds."""
        slow = [
            f"{wait:.1f} s while {stage.name}"
            for stage in self.stages
            for wait in stage.waits
            if wait > longest
        ]
        wrong = [one for stage in self.stages for one in stage.wrong]
        return {"answered wrongly": wrong, f"waited longer than {longest:.0f} s": slow}

    def note(self, stage: Stage, act: str, wait: float, wrong: str) -> None:
        with self._lock:
            stage.asked[act] += 1
            stage.waits.append(wait)
            if wrong:
                stage.wrong.append(wrong)

    def take(self, web: str, jobs: Sequence[str]) -> None:
        """Who answered first took them."""
        with self._lock:
            for job in jobs:
                self.taken.setdefault(job, web)


class Webs:
    """The webs that take requests now, by name; as a load balancer has them."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._busy: Counter[str] = Counter()
        self._lock = Lock()
        self._turn = count()

    def add(self, name: str, port: int) -> None:
        self._ports = {**self._ports, name: port}

    def drain(self, name: str) -> None:
        """Send nobody there any more, and wait for those who are there."""
        self._ports = {k: v for k, v in self._ports.items() if k != name}
        while self._busy[name]:
            time.sleep(0.01)

    @contextmanager
    def one(self) -> Iterator[tuple[str, int]]:
        """Name and port of the next in turn."""
        with self._lock:
            ports = list(self._ports.items())
            name, port = ports[next(self._turn) % len(ports)]
            self._busy[name] += 1
        try:
            yield name, port
        finally:
            with self._lock:
                self._busy[name] -= 1


class Client:
    """One person's requests, one after the other, each on a connection of its own."""

    def __init__(self, person: Person, webs: Webs, tally: Tally, seed: int) -> None:
        self.person = person
        self._webs = webs
        self._tally = tally
        self._random = Random(seed)  # noqa: S311 - wishes, not secrets
        self._known: list[dict[str, Any]] = []

    def act(self) -> None:
        """One thing of those that people do."""
        acts = (self.submit, self.submit, self.look, self.cancel, self.repeat)
        self._random.choice(acts)()

    def submit(self) -> None:
        """One in so many is sent again under its key, which reaches the other web."""
        wish = {name: self._random.choice(some) for name, some in WISHES.items()}
        wish["model"], key = "starter", str(uuid4())
        first = self._take("submit", JOBS, wish, key)
        if first and self._random.random() < SENT_AGAIN:
            again = self._ask("submit again", "POST", JOBS, wish, key)
            if again and _ids(again) != _ids(first):
                self._tally.stages[-1].wrong.append(f"{key}: not the same jobs")

    def look(self) -> None:
        path = self._random.choice((JOBS, "/api/v1/images"))
        answer = self._ask("list", "GET", path)
        if answer and path == JOBS:
            self._known = answer["results"]

    def cancel(self) -> None:
        """The newest that had not ended at the last look, or else any."""
        live = [job for job in self._known if not job["completed_at"]] or self._known
        if live:
            self._ask("cancel", "POST", f"{JOBS}/{live[0]['id']}/cancel")

    def repeat(self) -> None:
        if self._known:
            job = self._random.choice(self._known)
            self._take("retry", f"{JOBS}/{job['id']}/retry", None, str(uuid4()))

    def _take(self, act: str, path: str, body: Any, key: str) -> Any:
        answer = self._ask(act, "POST", path, body, key)
        if answer:
            self._known = answer["jobs"] + self._known[:PAGE]
        return answer

    def _ask(
        self, act: str, method: str, path: str, body: Any = None, key: str = ""
    ) -> Any:
        """The answer; None for one that is no success."""
        stage = self._tally.stages[-1]
        with self._webs.one() as (web, port):
            began = time.perf_counter()
            status, answer = ask(port, method, path, self.person.token, body, key)
            wait = time.perf_counter() - began
        good = status in (200, 201) or (status, _code(answer)) == REFUSED
        wrong = "" if good else f"{web}: {method} {path}: {status} {answer}"
        self._tally.note(stage, act, wait, wrong)
        if status == 201:
            self._tally.take(web, _ids(answer))
        return answer if status in (200, 201) else None


def _code(answer: Any) -> Any:
    return answer.get("error", {}).get("code")


def _ids(answer: Any) -> list[str]:
    return [job["id"] for job in answer["jobs"]]


def ask(
    port: int, method: str, path: str, token: str, body: Any = None, key: str = ""
) -> tuple[int, Any]:
    """Status and answer; status 0 without one."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    try:
        line.request(method, path, None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, {"unanswered": repr(error)}
    finally:
        line.close()


@contextmanager
def at_work(clients: Sequence[Client], *, pause: float) -> Iterator[None]:
    """All of them act, with a pause after each act, until the block ends."""
    stop = Event()

    def work(client: Client) -> None:
        while not stop.wait(pause):
            client.act()

    with ThreadPoolExecutor(len(clients)) as pool:
        ends = [pool.submit(work, client) for client in clients]
        try:
            yield
        finally:
            stop.set()
    for end in ends:
        end.result()
