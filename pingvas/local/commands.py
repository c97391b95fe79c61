"""Runs a command of the developer's with the environment of the local servers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

import psycopg

from pingvas.core.db.ownership import (
    SAFE_PATH,
    ForeignObjects,
    refuse_foreign_objects,
)
from pingvas.core.db.roles import OWNER
from pingvas.local.environment import DATABASE
from pingvas.local.errors import LocalError
from pingvas.local.files import FolderLock
from pingvas.local.home import Home
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.servers import LocalServers, choose_servers, describe_environment
from pingvas.local.studio import announce_quarters
from pingvas.rights import OTHER_OWNERS


def run_command(home: Home, argv: Sequence[str]) -> int:
    """Run `argv` and return its exit status.

    The servers of a running studio are used; where none runs they are started
    for the command and stopped after it.

    Raises:
        LocalError: no such program, or the servers cannot be used.
    """
    return _with_servers(home, lambda _, env: _call(argv, env))


def open_psql(home: Home, arguments: Sequence[str]) -> int:
    """Open psql on the studio's database as its administrator."""
    return _with_servers(home, lambda servers, env: _psql(servers, env, arguments))


def _with_servers(
    home: Home, action: Callable[[LocalServers, Mapping[str, str]], int]
) -> int:
    servers = choose_servers(home, os.environ)
    announce_quarters(servers)
    lock = home.lock
    is_ours = lock.acquire(note=f"a command, pid {os.getpid()}")
    try:
        _start_or_find(servers, is_ours=is_ours)
        environment = describe_environment(home, servers, os.environ)
        return action(servers, environment.with_privileges())
    finally:
        _stop(servers, lock, is_ours=is_ours)


def _start_or_find(servers: LocalServers, *, is_ours: bool) -> None:
    if is_ours:
        servers.start()
    else:
        servers.check_running()


def _stop(servers: LocalServers, lock: FolderLock, *, is_ours: bool) -> None:
    if is_ours:
        servers.stop()
        lock.release()


def _call(argv: Sequence[str], env: Mapping[str, str]) -> int:
    # Ctrl-C belongs to the command; this process has servers to stop afterwards.
    previous = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        status = subprocess.run(argv, env=dict(env), check=False)  # noqa: S603 - theirs
    except OSError as error:
        raise LocalError(
            f"{argv[0]} cannot be run: {error.strerror}.",
            f"{argv[0]}을(를) 실행할 수 없습니다: {error.strerror}.",
        ) from error
    finally:
        signal.signal(signal.SIGINT, previous)
    return status.returncode


def _psql(
    servers: LocalServers, env: Mapping[str, str], arguments: Sequence[str]
) -> int:
    if servers.postgres is None:
        raise LocalError(
            "psql is for the embedded database: unset DATABASE_URL.",
            "psql은 내장 데이터베이스용입니다: DATABASE_URL을 해제하세요.",
        )
    _refuse_traps(servers.postgres, env)
    program = str(servers.postgres.quarters.programs / "psql")
    # By variables: a password on the command line is seen by every user.
    connection = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(servers.postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": servers.postgres.password,
        "PGDATABASE": DATABASE,
        "PGOPTIONS": f"-c search_path={env['DB_SCHEMA']},extensions",
    }
    return _call([program, *arguments], {**env, **connection})


def _refuse_traps(postgres: EmbeddedPostgres, env: Mapping[str, str]) -> None:
    """The administrator's statements find what lies in the schema."""
    url = postgres.url("postgres", postgres.password, DATABASE)
    owner = f"{env.get('DB_ROLE_PREFIX', '')}{OWNER}"
    try:
        with psycopg.connect(url, options=SAFE_PATH) as admin:
            refuse_foreign_objects(admin, env["DB_SCHEMA"], owner, OTHER_OWNERS)
    except ForeignObjects as error:
        raise LocalError(
            str(error),
            f"{env['DB_SCHEMA']} 스키마에 소유자가 다른 객체가 있어 열지 않습니다.",
        ) from error
