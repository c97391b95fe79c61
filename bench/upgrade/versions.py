"""Both versions' programs on the same servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.versions import start_in

MEMBER = Path(__file__).parent / "member.py"
# What a worker that was cut off held comes back within the run.
LEASE_SECONDS = "6"
# Passes of one user at a time.
RUNNING = "4"


class Program:
    """A member of a version, which has said that it is ready."""

    def __init__(self, child: subprocess.Popen[str], said: Any) -> None:
        self.said = said
        self._child = child

    def stop(self) -> None:
        """Let it end what it is at."""
        self._child.communicate()
        if self._child.returncode:
            raise RuntimeError(f"a program ended with {self._child.returncode}")

    def cut_off(self) -> None:
        """End it whatever it is at, as a machine that loses its power does."""
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.communicate()


@dataclass(frozen=True)
class Version:
    """The code of one version; `name`: for people."""

    name: str
    checkout: Path

    def manage(self, *command: str) -> None:
        """One command of manage.py; RuntimeError with what it said, if it failed."""
        done = subprocess.run(  # noqa: S603 - fixed words
            [sys.executable, "-W", "ignore", "manage.py", *command],
            cwd=self.checkout,
            env={**os.environ, "PYTHONPATH": str(self.checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {command}: {done.stdout}{done.stderr}")

    def make(self, each: int) -> Any:
        """So many users of each tier: id, tier, access token."""
        with self._open("make", str(each)) as program:
            return program.said

    @contextmanager
    def web(self) -> Iterator[Program]:
        """It says its port; ended as a deployment does it."""
        redis = os.environ.get("REDIS_WEB_URL", os.environ["REDIS_URL"])
        with self._open("serve", REDIS_URL=redis) as program:
            yield program

    @contextmanager
    def worker(self, seconds: float) -> Iterator[Program]:
        """A pass takes so long; what it ended stands in `worker_log`."""
        arguments = ("work", str(self.worker_log), str(seconds))
        with self._open(
            *arguments,
            DATABASE_URL=os.environ["DATABASE_WORKER_URL"],
            REDIS_URL=os.environ.get("REDIS_WORKER_URL", os.environ["REDIS_URL"]),
        ) as program:
            yield program

    @property
    def worker_log(self) -> Path:
        return Path(os.environ["MEDIA_ROOT"]).parent / f"worker-{self.name}.txt"

    def ended(self) -> list[tuple[str, str]]:
        """Job and how it ended, as the version's workers said it."""
        if not self.worker_log.exists():
            return []
        lines = self.worker_log.read_text().splitlines()
        return [(line[:36], line[37:]) for line in lines]

    @contextmanager
    def _open(self, *arguments: str, **variables: str) -> Iterator[Program]:
        env = {
            **os.environ,
            "LEASE_SECONDS": LEASE_SECONDS,
            "BENCH_RUNNING": RUNNING,
            **variables,
        }
        child = start_in(self.checkout, MEMBER, *arguments, env=env)
        try:
            said = child.stdout.readline() if child.stdout else ""
            if not said:
                raise RuntimeError(f"{self.name}: {arguments} did not start")
            yield Program(child, json.loads(said))
        finally:
            if child.poll() is None:
                child.communicate()
