from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisAway

from pingvas.core import redis as product_redis
from tests.accounts.api import Program
from tests.redis import redis_client


@pytest.fixture
def program(db):
    return Program()


@pytest.fixture(autouse=True)
def fresh_counters():
    """Every test counts from zero: they all come from one address."""
    keys = list(redis_client().scan_iter("ratelimit:*"))
    if keys:
        redis_client().delete(*keys)


@pytest.fixture
def redis_away(monkeypatch):
    """Every command fails from here on, as when the server does not answer."""

    def refuse(*args, **kwargs):
        raise RedisAway("Connection refused")

    pool = product_redis.redis_client().connection_pool
    monkeypatch.setattr(pool, "get_connection", refuse)
