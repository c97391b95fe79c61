"""`make slow`: honest clients beside two hundred slow ones of each kind, for a minute.

Writes `bench/STORM.md`. The small form is `tests/core/test_storm.py`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.attackers import PICTURE_BYTES
from bench.house import open_servers, open_studio
from bench.report import Ratio, describe_machine, say, show_table

PAGE = Path(__file__).parent / "STORM.md"
KEY = "storm/picture.png"
LINK_SECONDS = 3600
WARM_UP = 20
# Between two rounds of questions: honest clients do not storm themselves.
PAUSE = 0.05
BODY = b"[" + b" " * 500_000 + b"]"


def main() -> int:
    """The exit status: 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm")
    parser.add_argument("--each", type=int, default=200, help="clients of a kind")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    machine = describe_machine()
    with open_servers(), open_studio("storm"):
        storm = Storm(each=options.each, seconds=options.seconds)
        storm.measure()
    text = storm.page(machine)
    say(text)
    if options.keep:
        PAGE.write_text(text)
    return int(any(ratio.met is False for ratio in storm.ratios()))


@dataclass
class Question:
    """What an honest client asks, and the status that is right."""

    path: str
    status: int
    body: bytes | None = None
    quiet: list[float] = field(default_factory=list)
    stormy: list[float] = field(default_factory=list)
    wrong: int = 0


class Storm:
    """The attack and both sides' figures."""

    def __init__(self, *, each: int, seconds: int) -> None:
        self.each = each
        self.seconds = seconds
        self.questions: dict[str, Question] = {}
        self.attackers: dict[str, dict[str, int]] = {}

    def measure(self) -> None:
        # These need the settings.
        from bench.programs import open_web

        link, cookie = _prepare()
        self.questions = {
            "/healthz": Question("/healthz", 200),
            "a signed-in page": Question("/gallery", 200),
            "a picture of 8 MB": Question(link, 200),
            "a body of 500 kB": Question("/api/v1/auth/token", 400, BODY),
        }
        with open_web() as port:
            honest = Honest(port, cookie)
            for _ in range(WARM_UP):
                self._ask(honest, [])
            self._ask_for(self.seconds / 3, honest, "quiet")
            with self._attack(port, link):
                self._ask_for(self.seconds - 5, honest, "stormy")

    def _ask_for(self, seconds: float, honest: Honest, weather: str) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._ask(honest, [weather])
            time.sleep(PAUSE)

    def _ask(self, honest: Honest, weather: list[str]) -> None:
        for question in self.questions.values():
            began = time.perf_counter()
            status = honest.ask(question)
            for name in weather:
                getattr(question, name).append(time.perf_counter() - began)
            question.wrong += status != question.status

    @contextmanager
    def _attack(self, port: int, link: str) -> Iterator[None]:
        command = [sys.executable, "-m", "bench.attackers", str(port), link]
        command += [f"--each={self.each}", f"--seconds={self.seconds}"]
        attackers = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own module
        # All of them are there before anything is measured.
        time.sleep(3)
        try:
            yield
        finally:
            told, _ = attackers.communicate()
            self.attackers = json.loads(told)

    def ratios(self) -> list[Ratio]:
        return [
            Ratio(
                name=f"{name}, {label}",
                ours=1000 * of(question.stormy),
                other=1000 * of(question.quiet),
                unit="ms",
                ratio=of(question.stormy) / of(question.quiet),
                goal="<= 3" if number < GOALS and label == "median" else "",
            )
            for number, (name, question) in enumerate(self.questions.items())
            for label, of in (
                ("median", statistics.median),
                ("95 of 100", _ninety_five),
            )
        ]

    def page(self, machine: dict[str, str]) -> str:
        """The figures for people."""
        asked = sum(len(q.quiet) + len(q.stormy) for q in self.questions.values())
        wrong = sum(question.wrong for question in self.questions.values())
        rows = [
            f"| {kind} | {count} | {self.attackers['ended'].get(kind, 0)} | "
            f"{self._answers(kind)} |"
            for kind, count in self.attackers["begun"].items()
        ]
        return INTRODUCTION.format(
            each=self.each,
            seconds=self.seconds,
            table=show_table(self.ratios()),
            asked=asked,
            wrong=wrong,
            rows="\n".join(rows),
            date=datetime.now(UTC).date().isoformat(),
            machine=", ".join(f"{key} {value}" for key, value in machine.items()),
        )

    def _answers(self, kind: str) -> str:
        found = self.attackers["answers"].items()
        mine = [
            (name.partition(": ")[2], n) for name, n in found if name.startswith(kind)
        ]
        return ", ".join(f"{status} x {count}" for status, count in mine)


# The first questions have a goal: the others wait for megabytes, as the attackers do.
# Nor has the slowest twentieth: the attackers' process takes a core from the server.
GOALS = 2
INTRODUCTION = """# A storm of slow clients

Written by `make slow`. {each} clients each of five kinds hold one web process for \
{seconds} s, from {each} addresses of 127/8; whoever is let go comes back. "Studio" is \
the time of an honest client's request meanwhile, "Beside" before.

{table}

Of {asked} honest requests {wrong} were refused or answered wrongly.

| Attackers | connections | let go | answered |
|---|---|---|---|
{rows}

{date}: {machine}.
"""


class Honest:
    """A client with a connection of its own for each request."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port = port
        self._headers = {"Cookie": cookie, "Content-Type": "application/json"}

    def ask(self, question: Question) -> int:
        """The status of a whole answer; 0 without one."""
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        method = "GET" if question.body is None else "POST"
        try:
            line.request(method, question.path, question.body, self._headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            line.close()
        return answer.status


def _prepare() -> tuple[str, str]:
    """A link to a large file, and the cookie of somebody who is signed in."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib import auth

    from accounts.services import sign_up
    from pingvas.core.storage.local import LocalStore

    root = Path(settings.MEDIA_ROOT)
    (root / KEY).parent.mkdir(parents=True, exist_ok=True)
    (root / KEY).write_bytes(os.urandom(PICTURE_BYTES))
    link = LocalStore(root).download_link(
        KEY, file_name="picture.png", seconds=LINK_SECONDS
    )
    user = sign_up(email="honest@example.com", password="a-long-passphrase-of-hers")  # noqa: S106 - of a database that goes
    session: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return link, f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _ninety_five(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
