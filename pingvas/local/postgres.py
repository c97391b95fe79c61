"""The embedded PostgreSQL server of one checkout."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psycopg

from pingvas.local.confinement import Quarters, find_quarters, run_program
from pingvas.local.errors import LocalError
from pingvas.local.files import (
    make_private_folder,
    read_or_make_password,
    write_private_file,
)
from pingvas.local.ports import LOOPBACK, keep_port
from pingvas.local.processes import spawn
from pingvas.local.server import ServerProcess

SETTINGS = {
    "listen_addresses": LOOPBACK,
    # A socket path has a limit of 107 characters; clone paths have none.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}

# A test's data may be lost with the machine: nothing waits for the disk.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


class EmbeddedPostgres:
    """A PostgreSQL of its own below `home`, on loopback, behind a password.

    Args:
        home: holds data, port and password; made when missing.
        log: where the server writes; `home/server.log` by default.
        durable: False for tests, which may lose everything with the machine.
    """

    def __init__(
        self, home: Path, *, log: Path | None = None, durable: bool = True
    ) -> None:
        self.home = make_private_folder(home.absolute())
        self.log = log or self.home / "server.log"
        self.durable = durable
        self.quarters: Quarters = find_quarters(self.home)
        self.data = self.quarters.folder / "data"
        self.process = ServerProcess(
            "PostgreSQL",
            program="postgres",
            folder=self.data,
            pid_file=self.data / "postmaster.pid",
            stopping=[(signal.SIGINT, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)],
        )

    @property
    def port(self) -> int:
        """The TCP port of the last start."""
        return int((self.home / "port").read_text(encoding="utf-8"))

    @property
    def password(self) -> str:
        """The superuser's password."""
        return (self.home / "password").read_text(encoding="utf-8").strip()

    @property
    def notice(self) -> str | None:
        """Where the data lie when they could not lie below `home`."""
        return None if self.quarters.folder == self.home else str(self.quarters.folder)

    @property
    def admin_url(self) -> str:
        """The superuser's address of the maintenance database."""
        return self.url("postgres", self.password, "postgres")

    def url(self, user: str, password: str, database: str) -> str:
        """Return the address of `database` for `user`; all three URL-safe."""
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.port}/{database}"

    def answers(self) -> bool:
        """Whether this server takes the superuser's connection now."""
        try:
            psycopg.connect(self.admin_url, connect_timeout=2).close()
        except (psycopg.OperationalError, FileNotFoundError):
            return False
        return True

    def start(self) -> None:
        """Start the server, in place of one that a crash left behind.

        Raises:
            LocalError: half-made or foreign data, or the server's own refusal.
        """
        self.process.stop()
        self._make_data()
        keep_port(self.home / "port")
        self.process.child = spawn(
            self.quarters.command("postgres", "-D", ".", *self._options()),
            log=self.log,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=self.data,
            death_signal=signal.SIGINT,
            user=self.quarters.user,
        )
        self.process.wait_until(self.answers, log=self.log)

    def stop(self) -> None:
        """End the server and every connection; without effect when it is down."""
        self.process.stop()

    def _options(self) -> list[str]:
        settings = SETTINGS | {"port": str(self.port)}
        if not self.durable:
            settings |= THROWAWAY_SETTINGS
        return [part for pair in settings.items() for part in ("-c", "=".join(pair))]

    def _make_data(self) -> None:
        if self.data.exists():
            self._check_data()
            return
        password = read_or_make_password(self.home / "password")
        draft = self.quarters.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.quarters.folder / "initial-password"
        write_private_file(password_file, password)
        if self.quarters.user is not None:
            os.chown(password_file, self.quarters.user, -1)
        try:
            run_program(self.quarters, "initdb", *_initdb_options(draft, password_file))
        finally:
            password_file.unlink()
        # Only a finished folder gets the name: an interrupted one is made again.
        draft.rename(self.data)

    def _check_data(self) -> None:
        version_file = self.data / "PG_VERSION"
        if not version_file.exists() or not (self.home / "password").exists():
            raise LocalError(
                f"The database in {self.home} is incomplete (no PG_VERSION or no "
                "password). Restore it, or remove that folder to start empty.",
                f"{self.home}의 데이터베이스가 온전하지 않습니다 (PG_VERSION 또는 "
                "password 없음). 복구하거나, 지우고 새로 시작하세요.",
            )
        made_by = version_file.read_text(encoding="utf-8").strip()
        installed = run_program(self.quarters, "postgres", "--version").split()[-1]
        if made_by != installed.partition(".")[0]:
            raise LocalError(
                f"The database in {self.home} was made by PostgreSQL {made_by}, the "
                f"installed one is {installed}. Dump it with the old version, or "
                "remove that folder to start empty.",
                f"{self.home}의 데이터베이스는 PostgreSQL {made_by}의 것이고 설치된 "
                f"버전은 {installed}입니다. 이전 버전으로 덤프하거나, 폴더를 지우고 "
                "새로 시작하세요.",
            )


def _initdb_options(data: Path, password_file: Path) -> list[str]:
    return [
        f"--pgdata={data}",
        "--username=postgres",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
