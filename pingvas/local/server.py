"""What the embedded PostgreSQL and the embedded Redis have in common."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pingvas.local.errors import LocalError
from pingvas.local.processes import (
    end_process,
    find_programs_in,
    read_last_lines,
    works_in,
)


class ServerProcess:
    """One server: the child we started, or one that a crash left behind.

    Args:
        name: as people know it.
        program: the file name of its program.
        folder: its working directory, by which it is recognised.
        pid_file: where the server writes its process id, on the first line.
        stopping: signals to end it with and the seconds to wait after each.
    """

    def __init__(
        self,
        name: str,
        *,
        program: str,
        folder: Path,
        pid_file: Path,
        stopping: Sequence[tuple[signal.Signals, float]],
    ) -> None:
        self.name = name
        self.program = program
        self.folder = folder
        self.pid_file = pid_file
        self.stopping = stopping
        self.child: subprocess.Popen[bytes] | None = None

    def find(self) -> int | None:
        """Return the process id of the running server, whoever started it."""
        if self.child is not None:
            return self.child.pid if self.child.poll() is None else None
        if not self.pid_file.exists():
            return None
        first = self.pid_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        if not first.isdecimal() or not works_in(int(first), self.folder):
            return None
        return int(first)

    def stop(self) -> None:
        """End the server and what it left; without effect when nothing runs."""
        pid = self.find()
        if pid is not None:
            end_process(pid, self.stopping, is_alive=lambda: self.find() is not None)
        if self.child is not None:
            self.child.wait()
            self.child = None
        self._end_orphans()
        self.pid_file.unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """A backend outlives its killed server as long as its query runs."""
        while orphans := find_programs_in(self.folder, self.program):
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def wait_until(
        self, answers: Callable[[], bool], *, log: Path, patience: float = 60.0
    ) -> None:
        """Wait until the started child answers.

        Raises:
            LocalError: it ended or kept silent; with the last lines of its log.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.find() is None:
                break
            if answers():
                return
            time.sleep(0.03)
        self.stop()
        last = "\n".join(f"    {line}" for line in read_last_lines(log, 12))
        raise LocalError(
            f"{self.name} did not start. The end of {log}:\n{last}",
            f"{self.name}을(를) 시작하지 못했습니다. 로그: {log}",
        )
