"""The Redis client, and the name of every key: the only place that spells them.

The names are the specification's, without a prefix, so dev and prod never share a
server. Everything in Redis can be made again from PostgreSQL.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from uuid import UUID

from django.conf import settings
from redis import Redis

JOB_TTL_SECONDS = 3600
ONLINE_TTL_SECONDS = 300
GENERATION_WINDOW_SECONDS = 600
API_WINDOW_SECONDS = 60
SIGN_IN_WINDOW_SECONDS = 600
SIGN_UP_WINDOW_SECONDS = 3600
# Longer than a weekend; whoever comes later gets a snapshot instead of a replay.
EVENTS_TTL_SECONDS = 3 * 24 * 3600
WS_TICKET_TTL_SECONDS = 30
MODEL_CACHE_TTL_SECONDS = 7 * 24 * 3600
MODEL_LOCK_TTL_SECONDS = 600
CREDITS_OVERVIEW_TTL_SECONDS = 60


@cache
def redis_client() -> Redis:
    """The process's client; it connects on first use and after every fork anew."""
    return Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
    )


def tier_queue(tier: str, lane: str = "gpu") -> str:
    """The specification's, and for another lane than the GPUs' one of our own."""
    return f"queue:{tier}" if lane == "gpu" else f"queue:{tier}:{lane}"


def job_status(job_id: UUID) -> str:
    return f"job:{job_id}:status"


def job_progress(job_id: UUID) -> str:
    return f"job:{job_id}:progress"


def token_blacklist(jti: str) -> str:
    return f"session:blacklist:{jti}"


def ws_ticket(ticket: str) -> str:
    return f"ws:ticket:{ticket}"


def user_online(user_id: UUID) -> str:
    return f"user:{user_id}:online"


def user_sockets(user_id: UUID) -> str:
    return f"user:{user_id}:sockets"


def generation_rate(user_id: UUID) -> str:
    return f"ratelimit:user:{user_id}:generation"


def api_rate(ip_address: str) -> str:
    return f"ratelimit:ip:{ip_address}:api"


def picture_rate(ip_address: str) -> str:
    return f"ratelimit:ip:{ip_address}:pictures"


def sign_in_rate(whose: str) -> str:
    return f"ratelimit:sign-in:{whose}"


def sign_up_rate(ip_address: str) -> str:
    return f"ratelimit:ip:{ip_address}:sign-up"


def job_preview(job_id: UUID) -> str:
    return f"job:{job_id}:preview"


def event_counter(user_id: UUID) -> str:
    return f"events:{user_id}:seq"


def event_epoch() -> str:
    return "events:epoch"


def event_stream(user_id: UUID) -> str:
    return f"events:{user_id}:stream"


def credits_overview(last_day: date, days: int) -> str:
    """Of Django's cache, which puts its own prefix before it."""
    return f"credits:overview:{last_day}:{days}"


def model_cache(name: str) -> str:
    return f"model:cache:{name}"


def model_download_lock(name: str) -> str:
    return f"model:download:lock:{name}"
