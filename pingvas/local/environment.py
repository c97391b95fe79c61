"""The environment variables by which the programs find the local servers."""

from __future__ import annotations

from collections.abc import Mapping

from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis

DATABASE = "pingvas_db"
OWNER = "pingvas_owner"
APP_USER = "app_user"


def postgres_environment(
    postgres: EmbeddedPostgres, credentials: Mapping[str, str]
) -> dict[str, str]:
    """Return the three database addresses and the passwords of the roles."""
    owner, app = credentials["DB_OWNER_PASSWORD"], credentials["DB_APP_PASSWORD"]
    return {
        "DATABASE_ADMIN_URL": postgres.admin_url,
        "DATABASE_OWNER_URL": postgres.url(OWNER, owner, DATABASE),
        "DATABASE_URL": postgres.url(APP_USER, app, DATABASE),
        "DB_OWNER_PASSWORD": owner,
        "DB_APP_PASSWORD": app,
        "DB_READONLY_PASSWORD": credentials["DB_READONLY_PASSWORD"],
    }


def redis_environment(redis: EmbeddedRedis) -> dict[str, str]:
    """Return the address of Redis."""
    return {"REDIS_URL": redis.url}
