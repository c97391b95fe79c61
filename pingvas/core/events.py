"""Events to one user's open screens and programs: numbered, kept, then pushed.

The number and the copy in the replay buffer are made in one Redis script, so a client
that says what it saw last gets exactly what it missed. The push is only a nudge to read
the buffer: losing one loses nothing.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection, transaction
from redis.exceptions import RedisError

from pingvas.core.db.actor import NOBODY, acting_as
from pingvas.core.redis import event_counter, event_stream, redis_client

log = logging.getLogger(__name__)

KEPT_EVENTS = 1000
NUDGE = {"type": "events.arrived"}

# A counter that was lost restarts from the database's clock, which is ahead of every
# number it ever gave; the caller passes it when asked to (-1).
_APPEND = """
if redis.call('EXISTS', KEYS[1]) == 0 then
    if ARGV[1] == '' then return -1 end
    redis.call('SET', KEYS[1], ARGV[1])
    redis.call('DEL', KEYS[2])
end
local seq = redis.call('INCR', KEYS[1])
-- Lua would print a number of this size as 1.7e+15.
local id = string.format('%.0f-0', seq)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], id, 'event', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return seq
"""


@dataclass(frozen=True)
class Event:
    """What happened, before it has its number. `job_id` None: not about one job."""

    user_id: UUID
    type: str
    data: dict[str, Any] = field(default_factory=dict)
    job_id: UUID | None = None


def user_group(user_id: UUID) -> str:
    return f"user.{user_id}"


def publish_on_commit(event: Event) -> None:
    """Publish once the transaction has committed; nothing if it rolls back."""
    transaction.on_commit(lambda: publish(event))


def publish(event: Event) -> int | None:
    """Number, keep and push `event` now; None, logged, while Redis is away."""
    try:
        sequence = _append(event, "")
        if sequence == -1:
            sequence = _append(event, str(_database_microseconds()))
    except RedisError:
        log.warning("event not published", extra={"type": event.type}, exc_info=True)
        return None
    return sequence


def _append(event: Event, start: str) -> int:
    body = {
        "v": 1,
        "ts": time.time_ns() // 1_000_000,
        "type": event.type,
        "job_id": str(event.job_id) if event.job_id else None,
        "data": event.data,
    }
    channel, nudge = _nudge(event.user_id)
    keys = (event_counter(event.user_id), event_stream(event.user_id))
    text = json.dumps(body, ensure_ascii=False)
    arguments: list[Any] = [start, KEPT_EVENTS, text, channel, nudge]
    return int(redis_client().eval(_APPEND, 2, *keys, *arguments))


def _nudge(user_id: UUID) -> tuple[str, bytes]:
    """The channel layer's own wire form of `group_send`, for use inside the script.

    group_send would need an event loop in every worker thread and a second round trip.
    """
    channel = f"{settings.CHANNEL_PREFIX}__group__{user_group(user_id)}"
    return channel, get_channel_layer().serialize(NUDGE)


def _database_microseconds() -> int:
    with acting_as(NOBODY), connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp()) * 1000000")
        return int(cursor.fetchone()[0])
