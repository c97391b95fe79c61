"""The things a supervisor keeps alive: our programs and the embedded servers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pingvas.local.errors import LocalError
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.processes import spawn
from pingvas.local.programs import Program
from pingvas.local.redis import EmbeddedRedis


class Member(Protocol):
    """What the supervisor asks of each of them.

    Attributes:
        is_talkative: whether errors in its log go to the console as well; a
            database logs every refused statement, which its client reports too.
    """

    name: str
    log: Path
    is_talkative: bool

    def start(self) -> None: ...

    def is_running(self) -> bool: ...

    def stop(self, *, is_hurried: Callable[[], bool]) -> None: ...


class ServerMember:
    """An embedded server; it ends its connections by itself and is not hurried."""

    is_talkative = False

    def __init__(self, server: EmbeddedPostgres | EmbeddedRedis) -> None:
        self.name = server.process.name.lower()
        self.log = server.log
        self._server = server
        self._port: int | None = None

    def start(self) -> None:
        """Start the server; after the first time on the port that programs know."""
        self._server.start()
        if self._port not in (None, self._server.port):
            raise LocalError(
                f"{self.name} lost port {self._port} to another program. Start again.",
                f"{self.name}의 포트 {self._port}을(를) 다른 프로그램이 차지했습니다. "
                "다시 시작하세요.",
            )
        self._port = self._server.port

    def is_running(self) -> bool:
        return self._server.process.find() is not None

    def stop(self, *, is_hurried: Callable[[], bool]) -> None:
        self._server.stop()


class ProgramMember:
    """One of our programs with the children that it starts, as one process group."""

    is_talkative = True

    def __init__(
        self,
        program: Program,
        *,
        log: Path,
        env: Mapping[str, str],
        secrets: Mapping[str, str],
        cwd: Path,
    ) -> None:
        """`secrets`: everything that gives power; the program gets what it names."""
        self.name = program.name
        self.log = log
        self._program = program
        self._env = {**env, **program.variables(secrets)}
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = spawn(
            self._program.argv, log=self.log, env=self._env, cwd=self._cwd
        )

    def is_running(self) -> bool:
        if self._child is None:
            return False
        if self._child.poll() is None:
            return True
        # What the dead program leaves behind must not meet its successor.
        self._kill_group(self._child.pid)
        return False

    def stop(self, *, is_hurried: Callable[[], bool]) -> None:
        """Ask the program to end, wait, then kill what is left of its group."""
        if self._child is None:
            return
        child, self._child = self._child, None
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        deadline = time.monotonic() + self._program.patience
        while child.poll() is None:
            if is_hurried() or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self._kill_group(child.pid)
        child.wait()

    @staticmethod
    def _kill_group(group: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
