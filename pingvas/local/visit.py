"""Gives a program the address of the studio: the one that runs here, or one for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pingvas.local.console import say
from pingvas.local.errors import LocalError
from pingvas.local.home import CHECKOUT, Home
from pingvas.local.ports import LOOPBACK, pick_port
from pingvas.local.processes import end_process, read_last_lines, spawn
from pingvas.local.studio import is_ready

# The first start makes a database; a later one takes some seconds.
START_SECONDS = 300.0
STOP_SECONDS = 60.0


@contextmanager
def running_studio(home: Home) -> Iterator[str]:
    """The address of the studio of `home`; started for the block if none runs.

    Raises:
        LocalError: it does not start, or something else holds the home.
    """
    lock = home.lock
    if lock.acquire(note="a start of the studio"):
        lock.release()
        with _started_studio(home) as url:
            yield url
    else:
        yield _find_running(lock.note())


def _find_running(note: str) -> str:
    port = re.search(r"make run, .*port (\d+)", note)
    if port is None:
        raise LocalError(
            f"Another command uses this folder ({note}). Wait until it ends.",
            f"다른 명령이 이 폴더를 쓰고 있습니다 ({note}). 끝날 때까지 기다리세요.",
        )
    url = f"http://{LOOPBACK}:{port[1]}"
    say(f"실행 중인 스튜디오를 씁니다: {url}", f"Using the studio at {url}")
    _wait(url, is_alive=lambda: True)
    return url


@contextmanager
def _started_studio(home: Home) -> Iterator[str]:
    say(
        "스튜디오를 시작합니다. 처음에는 1분쯤 걸립니다.",
        "Starting the studio; the first time takes a minute.",
    )
    port = pick_port()
    log = home.log("studio")
    child = spawn(
        [sys.executable, "-m", "pingvas.local", "run", "--home", str(home.folder)],
        log=log,
        env={**os.environ, "PORT": str(port)},
        cwd=CHECKOUT,
        death_signal=signal.SIGTERM,
    )
    try:
        url = f"http://{LOOPBACK}:{port}"
        if not _wait(url, is_alive=lambda: child.poll() is None):
            last = "\n".join(f"    {line}" for line in read_last_lines(log, 15))
            raise LocalError(
                f"The studio ended instead of starting. The end of {log}:\n{last}",
                f"스튜디오가 시작되지 못했습니다. 로그: {log}",
            )
        yield url
    finally:
        _stop(child)


def _wait(url: str, *, is_alive: Callable[[], bool]) -> bool:
    """Wait until the studio at `url` answers; False when it ended before.

    Raises:
        LocalError: neither happened for minutes.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not is_alive():
            return False
        if is_ready(f"{url}/readyz"):
            return True
        time.sleep(0.3)
    raise LocalError(
        f"The studio at {url} is not ready after {START_SECONDS:.0f} s.",
        f"{url}의 스튜디오가 {START_SECONDS:.0f}초가 지나도 준비되지 않았습니다.",
    )


def _stop(child: subprocess.Popen[bytes]) -> None:
    end_process(
        child.pid,
        [(signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)],
        is_alive=lambda: child.poll() is None,
    )
    child.wait()
