"""Events to one user's open screens and programs: numbered, kept, then pushed.

The number and the copy in the replay buffer are made in one Redis script, so a client
that says what it saw last gets exactly what it missed. The push is only a nudge to read
the buffer: losing one loses nothing.

A number is never given twice. A counter that was lost starts again from the database's
clock in microseconds, which is ahead of every number it ever gave. Redis may also come
back from a crash with a counter of a second ago; it comes back without the scripts, so
whoever has to load them first declares all older counters lost (`events:epoch`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast
from uuid import UUID

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from redis.exceptions import NoScriptError, RedisError

from pingvas.core.db.actor import NOBODY, acting_as
from pingvas.core.redis import (
    EVENTS_TTL_SECONDS,
    event_counter,
    event_epoch,
    event_stream,
    redis_client,
)

log = logging.getLogger(__name__)

KEPT_EVENTS = 1000
LARGEST_EVENT_BYTES = 64 * 1024
NUDGE = {"type": "events.arrived"}
# To every socket of a user: look whether you are welcome still.
DOUBT = {"type": "sessions.doubted"}
AT_ONCE = 1000

# Answers with `false` when the counter is lost and the caller brought no new start.
_COUNTER = """
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = tonumber(redis.call('GET', KEYS[3]) or '0')
if last == 0 or last < epoch then
    if ARGV[1] == '' then return false end
    last = math.max(tonumber(ARGV[1]), epoch, last + 1)
    -- Lua would print a number of this size as 1.7e+15.
    redis.call('SET', KEYS[1], string.format('%.0f', last), 'EX', ARGV[2])
    redis.call('DEL', KEYS[2])
end
"""
_APPEND = f"""{_COUNTER}
local seq = redis.call('INCR', KEYS[1])
local id = string.format('%.0f-0', seq)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], id, 'event', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if KEYS[4] then redis.call('SET', KEYS[4], ARGV[7], 'EX', ARGV[8]) end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return seq
"""
_READ = f"""{_COUNTER}
local found = {{}}
if ARGV[3] ~= '' then
    found = redis.call('XRANGE', KEYS[2], ARGV[3], '+', 'COUNT', ARGV[4])
end
return {{last, found}}
"""
_UNREAD_BYTES = """
local bytes, start = 0, ARGV[1]
while bytes <= tonumber(ARGV[2]) do
    local page = redis.call('XRANGE', KEYS[1], start, '+', 'COUNT', 50)
    if #page == 0 then break end
    for _, entry in ipairs(page) do bytes = bytes + #entry[2][2] end
    start = '(' .. page[#page][1]
end
return bytes
"""


@dataclass(frozen=True)
class Event:
    """What happened, before it has its number. `job_id` None: not about one job.

    milliseconds: when, by the clock of who made the event. Made inside the transaction
    that it tells of, it orders two events whose commits overtook each other.
    state: a key of Redis that says the same from then on, its text, its seconds to
    live.
    """

    user_id: UUID
    type: str
    data: dict[str, Any] = field(default_factory=dict)
    job_id: UUID | None = None
    milliseconds: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    state: tuple[str, str, int] | None = None


@dataclass(frozen=True)
class Unread:
    """Events after a number, oldest first, and the newest number there is.

    entries: (number, body) pairs, a part of what there is when more were not asked for.
    """

    after: int
    newest: int
    entries: list[tuple[int, str]]

    @property
    def is_gap(self) -> bool:
        """Whether something between `after` and the entries is not there any more."""
        if self.entries:
            return self.entries[0][0] != self.after + 1
        return self.newest != self.after


def user_group(user_id: UUID) -> str:
    return f"user.{user_id}"


def frame(sequence: int, body: str) -> str:
    """The text that goes over the wire: `body` with its number."""
    return f'{{"v":1,"seq":{sequence},{body[1:]}'


def event_body(event: Event) -> str:
    """A JSON object without the number, which only Redis knows."""
    return json.dumps(
        {
            "ts": event.milliseconds,
            "type": event.type,
            "job_id": str(event.job_id) if event.job_id else None,
            "data": event.data,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


class _Outbox:
    """What one transaction tells, in order, once it has committed."""

    def __init__(self, event: Event) -> None:
        self.events = [event]

    def send(self) -> None:
        publish_all(self.events)


def publish_on_commit(event: Event) -> None:
    """Publish once the transaction has committed; nothing if it rolls back.

    Events that follow each other share a flight to Redis. They share the savepoint as
    well: one that is rolled back takes back its own events and no others.
    """
    hooks: list[Any] = connection.run_on_commit
    if hooks:
        savepoints, hook, _ = hooks[-1]
        last = getattr(hook, "__self__", None)
        if isinstance(last, _Outbox) and savepoints == set(connection.savepoint_ids):
            last.events.append(event)
            return
    transaction.on_commit(_Outbox(event).send, robust=True)


def publish_all(events: Sequence[Event]) -> None:
    """`publish` each of them, in one flight to Redis where nothing is amiss."""
    if len(events) == 1:
        publish(events[0])
        return
    try:
        numbers = _append_together(events)
    except RedisError:
        log.warning("events not published", extra={"count": len(events)})
        return
    for event, number in zip(events, numbers, strict=True):
        # A lost counter, or a server that does not know the script: `publish` mends it.
        if not isinstance(number, int):
            publish(event)


def _append_together(events: Sequence[Event]) -> list[Any]:
    """What the script said to each, None to one that it was not asked about."""
    bodies = [event_body(event) for event in events]
    if any(_is_too_large(body) for body in bodies):
        return [None] * len(events)
    with redis_client().pipeline(transaction=False) as pipe:
        for event, body in zip(events, bodies, strict=True):
            keys, arguments = _append_call(event, body)
            pipe.evalsha(
                _digest(_APPEND), len(keys), *keys, "", EVENTS_TTL_SECONDS, *arguments
            )
        return list(pipe.execute(raise_on_error=False))


def _append_call(event: Event, body: str) -> tuple[list[str], list[Any]]:
    """Keys of the script and its arguments behind the counter's own."""
    keys = _keys_of(event.user_id)
    arguments = [KEPT_EVENTS, body, *_nudge(event.user_id)]
    if event.state is not None:
        key, text, seconds = event.state
        keys, arguments = [*keys, key], [*arguments, text, seconds]
    return keys, arguments


def _is_too_large(body: str) -> bool:
    return len(body.encode()) > LARGEST_EVENT_BYTES


def publish(event: Event) -> int | None:
    """Number, keep and push `event` now: its number.

    None, logged, when a server is away or the event is larger than
    LARGEST_EVENT_BYTES: what is told of has happened all the same.
    """
    body = event_body(event)
    if _is_too_large(body):
        log.error("event too large", extra={"type": event.type, "length": len(body)})
        return None
    try:
        return int(_numbered(_APPEND, *_append_call(event, body)))
    except (RedisError, DatabaseError):
        log.warning("event not published", extra={"type": event.type})
        return None


def newest_sequence(user_id: UUID) -> int:
    """The number of the user's last event; RedisError while Redis is away."""
    return int(_numbered(_READ, _keys_of(user_id), ["", 0])[0])


def newest_sequences(user_ids: Collection[UUID]) -> dict[UUID, int]:
    """The newest number of each, 0 of one whose counter is lost; RedisError.

    Starts no counter again: whoever finds a difference calls `read_events`.
    """
    found: dict[UUID, int] = {}
    remaining = list(user_ids)
    while remaining:
        some, remaining = remaining[:AT_ONCE], remaining[AT_ONCE:]
        counters: Any = redis_client().mget([event_counter(each) for each in some])
        found |= {
            user_id: int(count or 0)
            for user_id, count in zip(some, counters, strict=True)
        }
    return found


def doubt_sessions_on_commit(user_id: UUID) -> None:
    """Once the transaction has committed, make the user's sockets look at their proof.

    No more than haste: they are looked at every few seconds anyway.
    """
    transaction.on_commit(lambda: _push(user_id, DOUBT), robust=True)


def _push(user_id: UUID, message: dict[str, str]) -> None:
    try:
        redis_client().publish(*_wire_form(user_id, message))
    except RedisError:
        log.warning("message to sockets not pushed", extra={"type": message["type"]})


def read_events(user_id: UUID, *, after: int, limit: int) -> Unread:
    """Up to `limit` events with a number above `after`; RedisError."""
    newest, found = _numbered(_READ, _keys_of(user_id), [after + 1, limit])
    entries = [(int(key.partition("-")[0]), pair[1]) for key, pair in found]
    return Unread(after=after, newest=int(newest), entries=entries)


def unread_bytes(user_id: UUID, *, after: int, up_to: int) -> int:
    """Bytes of events above `after`, counted until they exceed `up_to`; RedisError."""
    keys = [event_stream(user_id)]
    return int(_run(_UNREAD_BYTES, keys, [after + 1, up_to]))


def _numbered(script: str, keys: list[str], arguments: list[Any]) -> Any:
    """Run a script that needs the counter; one that was lost is started again."""
    found = _run(script, keys, ["", EVENTS_TTL_SECONDS, *arguments])
    if found is None:
        start = _database_microseconds()
        found = _run(script, keys, [start, EVENTS_TTL_SECONDS, *arguments])
    return found


def _keys_of(user_id: UUID) -> list[str]:
    return [event_counter(user_id), event_stream(user_id), event_epoch()]


def _run(script: str, keys: list[str], arguments: list[Any]) -> Any:
    client = redis_client()
    try:
        return client.evalsha(_digest(script), len(keys), *keys, *arguments)
    except NoScriptError:
        _begin_epoch()
        return client.evalsha(_digest(script), len(keys), *keys, *arguments)


def _begin_epoch() -> None:
    """Load the scripts into a server that is new or was restarted.

    In one step with the epoch: no number is given from a counter that came back old.
    """
    with redis_client().pipeline(transaction=True) as pipe:
        pipe.set(event_epoch(), _database_microseconds())
        for script in (_APPEND, _READ, _UNREAD_BYTES):
            pipe.script_load(script)
        pipe.execute()


@cache
def _digest(script: str) -> str:
    """Redis's own name for a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _nudge(user_id: UUID) -> tuple[str, bytes]:
    return _wire_form(user_id, NUDGE)


def _wire_form(user_id: UUID, message: dict[str, str]) -> tuple[str, bytes]:
    """The channel layer's own form of `group_send`, for use inside the script.

    group_send would need an event loop in every worker thread and a second round trip.
    """
    channel = f"{settings.CHANNEL_PREFIX}__group__{user_group(user_id)}"
    return channel, get_channel_layer().serialize(message)


def _database_microseconds() -> int:
    with acting_as(NOBODY), connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp()) * 1000000")
        return int(cast("tuple[Any]", cursor.fetchone())[0])
