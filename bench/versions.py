"""This version and the version before it, each in a process of its own.

Both use the same Python and the same packages; all code, bench included, is of each
version's own checkout, but for `bench/probe.py` and `bench/upgrade/member.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from bench.house import HOMES
from pingvas.local.confinement import remove_quarters
from pingvas.local.files import FolderLock, make_private_folder
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis

# The last commit of the version before. Whoever makes a release names its commit here;
# BEFORE=<commit, branch or tag> compares with another.
BEFORE = "331eb1a7053a1459883e9be351abb85515ae159f"
ROOT = Path(__file__).parent.parent
PROBE = ROOT / "bench" / "probe.py"
# Another run's servers would be taken for this one's.
SERVERS = ("DATABASE_", "DB_", "REDIS_")


class Side(Protocol):
    """A version that is asked for what `bench.probe.Probe` can do."""

    def ask(self, name: str, *arguments: Any) -> Any: ...


class ProbeProcess:
    """A version in a process of its own."""

    def __init__(self, checkout: Path, child: subprocess.Popen[str]) -> None:
        self._checkout = checkout
        # Both of its pipes are there, which its type leaves open.
        self._child: Any = child

    def ask(self, name: str, *arguments: Any) -> Any:
        """The probe's answer; the first comes when everything has started."""
        try:
            self._child.stdin.write(json.dumps([name, *arguments]) + "\n")
            self._child.stdin.flush()
            return json.loads(self._child.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise RuntimeError(f"the version in {self._checkout} ended") from None


def version_before() -> str:
    return os.environ.get("BEFORE") or BEFORE


@contextmanager
def open_versions() -> Iterator[tuple[Side, Side]]:
    """This version and the one before, with fresh data side by side on one disk.

    RuntimeError where another comparison runs in this checkout.
    """
    home = make_private_folder(HOMES / "versions")
    lock = FolderLock(home / "lock")
    if not lock.acquire(note=str(os.getpid())):
        raise RuntimeError("these versions are being compared already")
    try:
        _clear(home)
        unpack(version_before(), home / "checkout")
        with (
            open_version(ROOT, home / "this") as this,
            open_version(home / "checkout", home / "before") as before,
        ):
            yield this, before
    finally:
        _clear(home)
        lock.release()


def unpack(ref: str, folder: Path) -> None:
    """Lay the files of that commit into `folder`; git's own books stay as they are."""
    command = [shutil.which("git") or "git", "-C", str(ROOT), "archive", ref]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed words and the caller's version
    if done.returncode:
        raise RuntimeError(
            f"{done.stderr.decode().strip()}\nThe version before is a commit of this "
            "repository: fetch its history, or name another by BEFORE=<commit>."
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


@contextmanager
def open_version(checkout: Path, home: Path) -> Iterator[Side]:
    """The version of `checkout`, its data in `home`; it ends when nobody asks it."""
    others = {k: v for k, v in os.environ.items() if not k.startswith(SERVERS)}
    child = start_in(checkout, PROBE, str(home), env=others)
    try:
        yield ProbeProcess(checkout, child)
    finally:
        # Not the block that Popen is: it would not wait after Ctrl-C.
        child.communicate()


def start_in(
    checkout: Path, script: Path, *arguments: str, env: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Run `script` with that version's code; it is to end when its input does."""
    return subprocess.Popen(  # noqa: S603 - our own files
        [sys.executable, "-P", "-W", "ignore", str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=checkout,
        env={**env, "PYTHONPATH": str(checkout)},
        # Ctrl-C ends this process, and with it what it asks.
        process_group=0,
    )


def _clear(home: Path) -> None:
    """Remove checkout and data, also those that a killed run left, running or not."""
    for version in ("this", "before"):
        servers = home / version / "0"
        if servers.exists():
            EmbeddedPostgres(servers / "postgres").stop()
            EmbeddedRedis(servers / "redis").stop()
            remove_quarters(servers / "postgres")
            shutil.rmtree(home / version)
    shutil.rmtree(home / "checkout", ignore_errors=True)
