"""The environment variables by which the programs find the local servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pingvas.core import redis_users
from pingvas.core.db.roles import OWNER, WEB, WORKER
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis

DATABASE = "pingvas_db"

# Kept from the web process and the workers, save for those that one of them or a
# set-up command names.
PRIVILEGED = (
    "DATABASE_ADMIN_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_WORKER_URL",
    "DB_OWNER_PASSWORD",
    "DB_APP_PASSWORD",
    "DB_WORKER_PASSWORD",
    "DB_READONLY_PASSWORD",
    "DEMO_PASSWORD",
    "STAFF_PASSWORD",
    "LEDGER_SIGNING_KEY",
    "REDIS_ADMIN_URL",
    "REDIS_WORKER_URL",
)


@dataclass(frozen=True)
class Environment:
    """The variables of this run, those that give power apart from the rest."""

    common: Mapping[str, str]
    privileged: Mapping[str, str]

    def with_privileges(self, names: Iterable[str] = PRIVILEGED) -> dict[str, str]:
        """Return the common variables and those of `names` that have a value."""
        known = self.privileged
        return {**self.common, **{name: known[name] for name in names if name in known}}


def postgres_environment(
    postgres: EmbeddedPostgres, credentials: Mapping[str, str]
) -> dict[str, str]:
    """Return the database's addresses and the passwords of the roles."""
    owner, app = credentials["DB_OWNER_PASSWORD"], credentials["DB_APP_PASSWORD"]
    worker = credentials["DB_WORKER_PASSWORD"]
    return {
        "DATABASE_ADMIN_URL": postgres.admin_url,
        "DATABASE_OWNER_URL": postgres.url(OWNER, owner, DATABASE),
        "DATABASE_URL": postgres.url(WEB, app, DATABASE),
        "DATABASE_WORKER_URL": postgres.url(WORKER, worker, DATABASE),
        "DB_OWNER_PASSWORD": owner,
        "DB_APP_PASSWORD": app,
        "DB_WORKER_PASSWORD": worker,
        "DB_READONLY_PASSWORD": credentials["DB_READONLY_PASSWORD"],
    }


def redis_environment(redis: EmbeddedRedis) -> dict[str, str]:
    """Return the addresses of Redis, one for each of its users."""
    return {
        "REDIS_ADMIN_URL": redis.admin_url,
        "REDIS_URL": redis.url(redis_users.WEB),
        "REDIS_WORKER_URL": redis.url(redis_users.WORKER),
    }


def development_defaults(
    folder: Path, credentials: Mapping[str, str]
) -> dict[str, str]:
    """Return what the settings need besides the servers, unless the caller set it."""
    return {
        "PINGVAS_ENV": "development",
        "SECRET_KEY": credentials["SECRET_KEY"],
        "LEDGER_SIGNING_KEY": credentials["LEDGER_SIGNING_KEY"],
        "DB_SCHEMA": "dev_pingvas",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "MEDIA_ROOT": str(folder / "media"),
        "MODEL_CACHE_ROOT": str(folder / "models"),
        "PYTHONUNBUFFERED": "1",
    }


def compose_environment(
    given: Mapping[str, str], servers: Mapping[str, str], defaults: Mapping[str, str]
) -> Environment:
    """Merge the caller's variables with ours; an empty one counts as unset.

    Args:
        given: the caller's environment; wins over `defaults`.
        servers: addresses and passwords of what we started; wins over `given`.
    """
    everything = {**defaults, **{k: v for k, v in given.items() if v}, **servers}
    return Environment(
        common={k: v for k, v in everything.items() if k not in PRIVILEGED},
        privileged={k: v for k, v in everything.items() if k in PRIVILEGED},
    )
