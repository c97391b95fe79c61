"""Starts PostgreSQL and Redis for a test run, before the settings are read.

Loaded by `-p tests.servers`. Each run takes the first free home below
`.pingvas/test/`, so two runs in one checkout, and `make run` beside them, do not
meet. An environment that says PINGVAS_ENV=test and names every server is used as
it is: that is how the workers of pytest-xdist join the run that started them.
`--no-servers` starts nothing; tests that touch a database then fail to connect.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pingvas.core.redis_users import USERS, WEB, WORKER, merge_users
from pingvas.local.confinement import remove_quarters
from pingvas.local.credentials import load_credentials
from pingvas.local.environment import postgres_environment, redis_environment
from pingvas.local.files import FolderLock, make_private_folder
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis

HOMES = Path(__file__).parent.parent / ".pingvas" / "test"
ADDRESSES = (
    "DATABASE_ADMIN_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_URL",
    "DATABASE_WORKER_URL",
    "REDIS_ADMIN_URL",
    "REDIS_URL",
)
# One process is web and worker here. Whatever the product itself sends has to be
# within the rights of one of them; `tests.redis` is the administrator.
TESTS = merge_users("tests", WEB, WORKER)
# Nothing listens on port 1: a test that needs a server says so at once.
NOWHERE = {
    "DATABASE_ADMIN_URL": "postgresql://postgres:none@127.0.0.1:1/postgres",
    "DATABASE_OWNER_URL": "postgresql://pingvas_owner:none@127.0.0.1:1/pingvas_db",
    "DATABASE_WORKER_URL": "postgresql://worker_user:none@127.0.0.1:1/pingvas_db",
    "DATABASE_URL": "postgresql://app_user:none@127.0.0.1:1/pingvas_db",
    "REDIS_ADMIN_URL": "redis://administrator:none@127.0.0.1:1/0",
    "REDIS_URL": "redis://web:none@127.0.0.1:1/0",
}


@dataclass
class RunningServers:
    """The servers of one run and the home that it holds."""

    lock: FolderLock
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis

    def stop(self) -> None:
        self.postgres.stop()
        self.redis.stop()
        remove_quarters(self.postgres.home)
        self.lock.release()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-servers",
        action="store_true",
        help="start neither PostgreSQL nor Redis (for tests that need none)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, object, object]:
    """Come before pytest-django, which reads the settings in this very hook."""
    if _servers_are_given():
        _take_own_redis_database()
    else:
        home = take_home()
        os.environ.update(common_environment(home.path.parent))
        if early_config.known_args_namespace.no_servers:
            early_config.add_cleanup(home.release)
            os.environ.update(NOWHERE)
        else:
            early_config.add_cleanup(start_servers(home).stop)
    return (yield)


def _servers_are_given() -> bool:
    return os.environ.get("PINGVAS_ENV") == "test" and all(
        os.environ.get(name) for name in ADDRESSES
    )


def _take_own_redis_database() -> None:
    """Keep the workers of one run apart: PostgreSQL's side is in conftest.py."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        number = int(worker.removeprefix("gw")) + 1
        for name in ("REDIS_URL", "REDIS_ADMIN_URL"):
            os.environ[name] = f"{os.environ[name].rpartition('/')[0]}/{number}"


def take_home() -> FolderLock:
    """Return the lock of the first home that no other run holds."""
    number = 0
    while True:
        folder = make_private_folder(HOMES / str(number))
        lock = FolderLock(folder / "lock")
        if lock.acquire(note=str(os.getpid())):
            return lock
        number += 1


def common_environment(home: Path) -> dict[str, str]:
    """Return what the settings need besides the servers."""
    return {
        **load_credentials(home / "credentials.json"),
        "PINGVAS_ENV": "test",
        "DB_SCHEMA": "dev_pingvas",
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "MEDIA_ROOT": str(home / "media"),
        # A whole suite comes from one address within a minute or two.
        "API_REQUESTS_PER_MINUTE": "1000000",
        "API_PICTURES_PER_MINUTE": "1000000",
    }


def start_servers(lock: FolderLock) -> RunningServers:
    """Start both servers empty and export their addresses."""
    home = lock.path.parent
    # What a killed run left running is stopped before its data go.
    EmbeddedPostgres(home / "postgres").stop()
    remove_quarters(home / "postgres")
    servers = RunningServers(
        lock,
        EmbeddedPostgres(home / "postgres", log=home / "postgres.log", durable=False),
        EmbeddedRedis(
            home / "redis",
            log=home / "redis.log",
            durable=False,
            users=(*USERS, TESTS),
        ),
    )
    try:
        servers.postgres.start()
        servers.redis.start()
    except BaseException:
        servers.stop()
        raise
    credentials = load_credentials(home / "credentials.json")
    os.environ.update(postgres_environment(servers.postgres, credentials))
    os.environ.update(redis_environment(servers.redis))
    os.environ["REDIS_URL"] = servers.redis.url(TESTS)
    return servers
