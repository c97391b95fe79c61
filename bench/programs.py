"""The studio's own programs, as `make run` starts them, on the bench's settings."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from pingvas.core.db.roles import WORKER
from pingvas.local.members import ProgramMember
from pingvas.local.ports import LOOPBACK, keep_port
from pingvas.local.programs import list_programs

ROOT = Path(__file__).parent.parent
START_SECONDS = 120


@contextmanager
def open_web(processes: int = 1) -> Iterator[int]:
    """The web's processes on a port of their own, once one of them answers."""
    port = keep_port(_folder() / "web-port")
    with open_program("web", port=port, WEB_CONCURRENCY=str(processes)):
        wait_until(lambda: _answers(port), what="the web process")
        yield port


@contextmanager
def open_program(name: str, *, port: int = 0, **variables: str) -> Iterator[None]:
    """One program of `make run`, on this run's database; ended with the block."""
    [program] = [each for each in list_programs(port) if each.name == name]
    member = ProgramMember(
        program,
        log=_folder() / f"{name}.log",
        env={**os.environ, **variables, "DATABASE_URL": database_url()},
        secrets={"DATABASE_WORKER_URL": worker_url()},
        cwd=ROOT,
    )
    member.start()
    try:
        yield
    finally:
        member.stop(is_hurried=lambda: False)


def wait_until(
    condition: Callable[[], bool], *, what: str, seconds: float = START_SECONDS
) -> None:
    """Look ten times a second; RuntimeError naming `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)


def database_url() -> str:
    """This run's database as a child's DATABASE_URL."""
    return "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(
        **connection.settings_dict
    )


def worker_url(database: str | None = None) -> str:
    """The same database, or another of its server, as workers sign in."""
    password = os.environ["DB_WORKER_PASSWORD"]
    settings = connection.settings_dict | ({"NAME": database} if database else {})
    place = "{HOST}:{PORT}/{NAME}".format(**settings)
    return f"postgresql://{WORKER}:{password}@{place}"


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT).parent


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
