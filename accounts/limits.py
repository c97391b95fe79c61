"""Request limits, counted in Redis in one atomic step each.

Money is guarded by holds in PostgreSQL; these limits keep one client from crowding the
others out. While Redis is away nothing can be counted, so what costs is refused.
"""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from accounts.tiers import limits_for
from pingvas.core.errors import ServiceUnavailable, TooManyRequests
from pingvas.core.redis import (
    API_WINDOW_SECONDS,
    GENERATION_WINDOW_SECONDS,
    api_rate,
    generation_rate,
    redis_client,
)

API_REQUESTS_PER_MINUTE = 600

# Redis 6.2 has no EXPIRE ... NX: the first request of a window sets its end.
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {count, redis.call('TTL', KEYS[1])}
"""


class GenerationLimitReached(TooManyRequests):
    code = "generation_limit_reached"
    message = _("Too many submissions in ten minutes for your plan.")


def count_generation(*, user_id: UUID, tier: str) -> None:
    """Count one submission; GenerationLimitReached past the tier's ten minutes' limit.

    ServiceUnavailable while Redis is away: before anything was written.
    """
    allowed = limits_for(tier).submissions
    count, seconds = _count(generation_rate(user_id), GENERATION_WINDOW_SECONDS)
    if count > allowed:
        raise GenerationLimitReached(limit=allowed, retry_after=max(seconds, 1))


def count_api_request(ip_address: str) -> None:
    """Count one request of an address; reads go on while Redis is away."""
    try:
        count, seconds = _count(api_rate(ip_address), API_WINDOW_SECONDS)
    except ServiceUnavailable:
        return
    if count > API_REQUESTS_PER_MINUTE:
        raise TooManyRequests(retry_after=max(seconds, 1))


def _count(key: str, window: int) -> tuple[int, int]:
    try:
        count, seconds = redis_client().eval(_COUNT, 1, key, "1", str(window))
    except RedisError as error:
        raise ServiceUnavailable from error
    return int(count), int(seconds)
