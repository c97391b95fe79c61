"""Request limits, counted in Redis in one atomic step each.

Money is guarded by holds in PostgreSQL; these limits keep one client from crowding the
others out. While Redis is away nothing can be counted, so what costs is refused.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from accounts.tiers import limits_for
from pingvas.core.errors import ServiceUnavailable, TooManyRequests
from pingvas.core.redis import (
    API_WINDOW_SECONDS,
    GENERATION_WINDOW_SECONDS,
    SIGN_IN_WINDOW_SECONDS,
    SIGN_UP_WINDOW_SECONDS,
    api_rate,
    generation_rate,
    picture_rate,
    redis_client,
    sign_in_rate,
    sign_up_rate,
)

# Failed sign-ins in ten minutes: of one address at one account, of one address at all
# accounts, and of all addresses at one account. The last is high, because it also keeps
# the account's owner out.
FAILURES_AT_ACCOUNT_FROM_ADDRESS = 10
FAILURES_FROM_ADDRESS = 60
FAILURES_AT_ACCOUNT = 100
SIGN_UPS_PER_HOUR = 30

# Redis 6.2 has no EXPIRE ... NX: the first request of a window sets its end.
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {count, redis.call('TTL', KEYS[1])}
"""


# A counter that has expired must not come back below zero, without an end.
_FORGIVE = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('DECR', key) end
end
"""


class GenerationLimitReached(TooManyRequests):
    code = "generation_limit_reached"
    message = _("Too many submissions in ten minutes for your plan.")


class SignInLimitReached(TooManyRequests):
    code = "sign_in_limit_reached"
    message = _("Too many failed sign-ins. Try again in a few minutes.")


class SignUpLimitReached(TooManyRequests):
    code = "sign_up_limit_reached"
    message = _("Too many accounts were made from here. Try again later.")


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
    _limit_minute(api_rate(ip_address), settings.API_REQUESTS_PER_MINUTE)


def count_picture_request(ip_address: str) -> None:
    """Count one preview or thumbnail: a page shows dozens, and must still be heard."""
    _limit_minute(picture_rate(ip_address), settings.API_PICTURES_PER_MINUTE)


def _limit_minute(key: str, allowed: int) -> None:
    try:
        count, seconds = _count(key, API_WINDOW_SECONDS)
    except ServiceUnavailable:
        return
    if count > allowed:
        raise TooManyRequests(retry_after=max(seconds, 1))


def count_sign_in(*, email: str, ip_address: str) -> None:
    """Count an attempt before it is judged, so that none slips by in parallel.

    Raises SignInLimitReached; ServiceUnavailable while Redis is away.
    """
    for key, allowed in _sign_in_counters(email, ip_address).items():
        count, seconds = _count(key, SIGN_IN_WINDOW_SECONDS)
        if count > allowed:
            raise SignInLimitReached(retry_after=max(seconds, 1))


def forgive_sign_in(*, email: str, ip_address: str) -> None:
    """Take back an attempt that succeeded: only failures are limited."""
    keys = list(_sign_in_counters(email, ip_address))
    try:
        redis_client().eval(_FORGIVE, len(keys), *keys)
    except RedisError as error:
        raise ServiceUnavailable from error


def count_sign_up(ip_address: str) -> None:
    """Raises SignUpLimitReached; ServiceUnavailable while Redis is away."""
    count, seconds = _count(sign_up_rate(ip_address), SIGN_UP_WINDOW_SECONDS)
    if count > SIGN_UPS_PER_HOUR:
        raise SignUpLimitReached(retry_after=max(seconds, 1))


def _sign_in_counters(email: str, ip_address: str) -> dict[str, int]:
    # Hashed: Redis holds no e-mail address.
    account = sha256(email.strip().lower().encode()).hexdigest()[:32]
    return {
        sign_in_rate(f"{account}:{ip_address}"): FAILURES_AT_ACCOUNT_FROM_ADDRESS,
        sign_in_rate(ip_address): FAILURES_FROM_ADDRESS,
        sign_in_rate(account): FAILURES_AT_ACCOUNT,
    }


def _count(key: str, window: int) -> tuple[int, int]:
    try:
        count, seconds = redis_client().eval(_COUNT, 1, key, "1", str(window))
    except RedisError as error:
        raise ServiceUnavailable from error
    return int(count), int(seconds)
