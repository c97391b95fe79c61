"""The embedded Redis server of one checkout."""

from __future__ import annotations

import hmac
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pingvas.core.redis_users import ADMINISTRATOR, USERS, RedisUser, list_rules
from pingvas.local.files import make_private_folder, read_or_make_password
from pingvas.local.ports import LOOPBACK, keep_port
from pingvas.local.processes import spawn
from pingvas.local.redis_programs import RedisProgram, find_program
from pingvas.local.server import ServerProcess


class EmbeddedRedis:
    """A Redis of its own in `home`, on loopback, with the product's users.

    Args:
        home: holds data, port and password; made when missing.
        log: where the server writes; `home/server.log` by default.
        durable: False for tests: nothing is written to disk.
        users: who may sign in; nobody does without a name.
        program: the server's own; the best that is found by default.
    """

    def __init__(
        self,
        home: Path,
        *,
        log: Path | None = None,
        durable: bool = True,
        users: Sequence[RedisUser] = USERS,
        program: RedisProgram | None = None,
    ) -> None:
        self.home = make_private_folder(home.absolute())
        self.log = log or self.home / "server.log"
        self.durable = durable
        self.users = users
        self.program = program or find_program()
        self.process = ServerProcess(
            "Redis",
            program=self.program.path.resolve().name,
            folder=self.home,
            pid_file=self.home / "redis.pid",
            stopping=[(signal.SIGTERM, 10), (signal.SIGKILL, 5)],
        )

    @property
    def port(self) -> int:
        """The TCP port of the last start."""
        return int((self.home / "port").read_text(encoding="utf-8"))

    @property
    def admin_url(self) -> str:
        """The server's address for its administrator, password included."""
        return self.url(ADMINISTRATOR)

    def url(self, user: RedisUser) -> str:
        """The server's address for `user`, password included."""
        password = self._password_of(user)
        return f"redis://{user.name}:{password}@{LOOPBACK}:{self.port}/0"

    def _password_of(self, user: RedisUser) -> str:
        """Made from the one that is kept; none of them tells another."""
        kept = read_or_make_password(self.home / "password")
        return hmac.digest(kept.encode(), user.name.encode(), "sha256").hex()

    def answers(self) -> bool:
        """Whether this server has loaded its data and takes commands."""
        try:
            with redis.Redis.from_url(
                self.admin_url, socket_timeout=2, retry=Retry(NoBackoff(), 0)
            ) as client:
                return bool(client.ping())
        except (redis.RedisError, FileNotFoundError):
            return False

    def start(self) -> None:
        """Start the server, in place of one that a crash left behind.

        Raises:
            LocalError: the server's own refusal.
        """
        self.process.stop()
        keep_port(self.home / "port")
        self.process.child = spawn(
            [str(self.program.path), "-"],
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
        passwords = {user.name: self._password_of(user) for user in self.users}
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            "pidfile redis.pid",
            "maxmemory-policy noeviction",
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            # Any other server that is found at a later start can read plain commands.
            "aof-use-rdb-preamble no",
            "always-show-logo no",
            *list_rules(self.users, passwords, version=self.program.version),
        ]
        return "\n".join(lines) + "\n"
