"""The tests' own look into Redis, as its administrator.

The product's client may only do what the product does.
"""

from __future__ import annotations

import os
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


@cache
def redis_client() -> Redis:
    return Redis.from_url(os.environ["REDIS_ADMIN_URL"], decode_responses=True)


def refusals(admin_url: str) -> list[str]:
    """What the server refused to whom since its start, wrong passwords included."""
    with Redis.from_url(
        admin_url, decode_responses=True, retry=Retry(NoBackoff(), 0)
    ) as admin:
        return [
            f"{entry['username']}: {entry['reason']} {entry['object']}"
            f" ({entry['context']}; {entry['client-info']})"
            for entry in admin.acl_log()
        ]
