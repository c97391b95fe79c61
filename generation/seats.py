"""How many sockets a user has open, in all web processes together.

Each is a member of a sorted set in Redis with the time at which it counts no more,
which its process moves on. Synchronous: runs in a thread. RedisError while Redis is
away.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

from django.conf import settings

from pingvas.core.redis import (
    ONLINE_TTL_SECONDS,
    redis_client,
    user_online,
    user_sockets,
)

# Without word from its process a socket counts so long; told every SEAT_SECONDS.
SEAT_TTL_SECONDS = 75
SEAT_SECONDS = 30.0
AT_ONCE = 500

Seat = tuple[UUID, str]

_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], '1', 'EX', ARGV[5])
return 1
"""


def take_seat(seat: Seat) -> bool:
    """Whether the user had one left; marks the user as online if so."""
    user_id, name = seat
    keys = [user_sockets(user_id), user_online(user_id)]
    arguments = [
        *(int(time.time()), settings.SOCKETS_PER_USER, SEAT_TTL_SECONDS),
        *(name, ONLINE_TTL_SECONDS),
    ]
    return bool(redis_client().eval(_TAKE, len(keys), *keys, *map(str, arguments)))


def keep_seats(seats: Collection[Seat]) -> None:
    """Say that these sockets are open still, and their users online."""
    remaining = list(seats)
    until = int(time.time()) + SEAT_TTL_SECONDS
    while remaining:
        some, remaining = remaining[:AT_ONCE], remaining[AT_ONCE:]
        with redis_client().pipeline(transaction=False) as pipe:
            for user_id, name in some:
                pipe.zadd(user_sockets(user_id), {name: until})
                pipe.expire(user_sockets(user_id), SEAT_TTL_SECONDS)
                pipe.set(user_online(user_id), "1", ex=ONLINE_TTL_SECONDS)
            pipe.execute()


def leave_seat(seat: Seat) -> None:
    user_id, name = seat
    redis_client().zrem(user_sockets(user_id), name)
