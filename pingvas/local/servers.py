"""The servers that this checkout runs by itself, and those it was pointed at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pingvas.local.credentials import load_credentials
from pingvas.local.environment import (
    Environment,
    compose_environment,
    development_defaults,
    postgres_environment,
    redis_environment,
)
from pingvas.local.errors import LocalError
from pingvas.local.home import Home
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis


@dataclass(frozen=True)
class LocalServers:
    """None stands for a server that the caller named in the environment."""

    postgres: EmbeddedPostgres | None
    redis: EmbeddedRedis | None

    def embedded(self) -> list[EmbeddedPostgres | EmbeddedRedis]:
        """The servers of our own, in the order of their start."""
        return [server for server in (self.postgres, self.redis) if server]

    def start(self) -> None:
        """Start what is embedded."""
        for server in self.embedded():
            server.start()

    def stop(self) -> None:
        """Stop what is embedded, Redis first."""
        for server in reversed(self.embedded()):
            server.stop()

    def check_running(self) -> None:
        """Raise LocalError unless every embedded server answers."""
        for server in self.embedded():
            if not server.answers():
                name = server.process.name
                raise LocalError(
                    f"{name} does not run here though the studio does: it was "
                    "started with DATABASE_URL or REDIS_URL. Set the same ones.",
                    f"스튜디오는 실행 중이지만 {name}은(는) 내장 서버가 아닙니다. "
                    "같은 DATABASE_URL/REDIS_URL을 지정하세요.",
                )


def choose_servers(home: Home, given: Mapping[str, str]) -> LocalServers:
    """Embed what the caller's environment does not name."""
    return LocalServers(
        postgres=None
        if given.get("DATABASE_URL")
        else EmbeddedPostgres(home.postgres, log=home.log("postgres")),
        redis=None
        if given.get("REDIS_URL")
        else EmbeddedRedis(home.redis, log=home.log("redis")),
    )


def describe_environment(
    home: Home, servers: LocalServers, given: Mapping[str, str]
) -> Environment:
    """Return the variables for the programs; the servers must have been started."""
    credentials = load_credentials(home.credentials)
    addresses: dict[str, str] = {}
    if servers.postgres is not None and given.get("DB_ROLE_PREFIX"):
        raise LocalError(
            "DB_ROLE_PREFIX is for a cluster that holds two schemas: unset it, or name "
            "the database by DATABASE_URL.",
            "DB_ROLE_PREFIX는 두 스키마가 있는 클러스터를 위한 것입니다. 해제하거나 "
            "DATABASE_URL로 데이터베이스를 지정하세요.",
        )
    if servers.postgres is not None:
        addresses |= postgres_environment(servers.postgres, credentials)
    if servers.redis is not None:
        addresses |= redis_environment(servers.redis)
    defaults = development_defaults(home.folder, credentials)
    if servers.postgres is not None:
        for name in ("DEMO_PASSWORD", "STAFF_PASSWORD"):
            defaults[name] = credentials[name]
    elif not given.get("DATABASE_WORKER_URL"):
        raise LocalError(
            "Workers and Beat sign in by a name of their own: set DATABASE_WORKER_URL "
            "(worker_user) beside DATABASE_URL (app_user).",
            "작업 프로세스와 Beat는 따로 로그인합니다: DATABASE_URL(app_user)과 함께 "
            "DATABASE_WORKER_URL(worker_user)을 설정하세요.",
        )
    return compose_environment(given, addresses, defaults)


def check_reachable(environment: Environment) -> None:
    """Raise LocalError unless the programs' database and Redis take connections."""
    _try("DATABASE_URL", lambda: _connect(environment.common["DATABASE_URL"]))
    worker = environment.privileged["DATABASE_WORKER_URL"]
    _try("DATABASE_WORKER_URL", lambda: _connect(worker))
    _try("REDIS_URL", lambda: _ping(environment.common["REDIS_URL"]))


def _connect(url: str) -> None:
    psycopg.connect(url, connect_timeout=5).close()


def _ping(url: str) -> None:
    with redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0)
    ) as client:
        client.ping()


def _try(name: str, connect: Callable[[], None]) -> None:
    try:
        connect()
    except (psycopg.Error, redis.RedisError, ValueError) as error:
        raise LocalError(
            f"The server that {name} names cannot be used: {error}",
            f"{name}이(가) 가리키는 서버를 쓸 수 없습니다.",
        ) from error
