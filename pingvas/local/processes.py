"""Starting and ending child processes that never outlive the one who started them."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 10_000_000


def open_log(path: Path) -> int:
    """Open `path` for appending; a log past 10 MB is put aside as `<name>.1`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def read_last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log, none when there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 400 * count))
        return file.read().decode(errors="replace").splitlines()[-count:]


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    user: int | None = None,
    stdin_text: str = "",
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, its output appended to `log`.

    Args:
        death_signal: what the kernel sends it when the calling thread ends,
            however that happens (Linux only). Call from the main thread.
        user: numeric id to run as; only root may give one.
    """
    descriptor = open_log(log)
    try:
        child = subprocess.Popen(  # noqa: S603 - the argument lists are our own
            argv,
            stdin=subprocess.PIPE if stdin_text else subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            process_group=0,
            preexec_fn=_die_with_parent(death_signal),
            user=user,
            group=group_of(user),
            extra_groups=None if user is None else (),
        )
    finally:
        os.close(descriptor)
    if child.stdin is not None:
        child.stdin.write(stdin_text.encode())
        child.stdin.close()
    return child


def group_of(user: int | None) -> int | None:
    """Return the primary group of numeric user `user`, None for None."""
    return None if user is None else pwd.getpwuid(user).pw_gid


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        if sys.platform == "linux":
            libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def end_process(
    pid: int,
    steps: Sequence[tuple[signal.Signals, float]],
    *,
    is_alive: Callable[[], bool],
) -> None:
    """Send `pid` each signal in turn until it is gone, waiting the given seconds."""
    for number, patience in steps:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_alive():
                return
            time.sleep(0.02)


def works_in(pid: int, folder: Path) -> bool:
    """Whether process `pid` is alive and has `folder` as its working directory.

    Recognises a server of ours behind a pid file even when the number was given
    to another program since. Where there is no /proc, the pid alone has to do.
    """
    try:
        if sys.platform == "linux":
            return os.path.samefile(f"/proc/{pid}/cwd", folder)
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def find_programs_in(folder: Path, program: str) -> list[int]:
    """Return the ids of all processes of `program` that work in `folder`.

    Empty where there is no /proc.
    """
    numbers = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [
        number
        for number in numbers
        if works_in(number, folder) and _program_of(number) == program
    ]


def _program_of(pid: int) -> str:
    try:
        # A program whose file was replaced meanwhile reads "postgres (deleted)".
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0]
    except OSError:
        return ""
