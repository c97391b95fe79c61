from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisAway

from pingvas.core.redis import redis_client
from tests.accounts.api import Program


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

    monkeypatch.setattr(redis_client().connection_pool, "get_connection", refuse)
