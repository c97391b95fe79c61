"""Who may do what in Redis: the one list, from which every server gets its users.

`make run` and the tests start their server with it, `manage.py redis_acl` prints it for
any other. A command or key that is missing here is refused (NOPERM) to everybody but
the administrator, so a stolen web process can neither configure the server, nor load
code into it, nor look at what is not its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pingvas.core import redis
from pingvas.schedule import MAINTENANCE_QUEUE, SWEEP_QUEUE

# In place of what a key names: the pattern of all such keys.
ANY: Any = "*"

# Rules of the servers that know them; an older one would refuse its whole list.
SINCE = {"client|setinfo": (7, 2)}
NEWEST = (99,)


@dataclass(frozen=True)
class RedisUser:
    """One user of Redis, without the password.

    Attributes:
        commands: names as rules spell them; everything else is refused.
        denied: rules that take single commands out of a category.
        keys: patterns of the keys it may read and write.
        channels: patterns of the channels it may publish to and subscribe to.
        has_password: False where whoever reaches the port may sign in.
    """

    name: str
    commands: tuple[str, ...]
    denied: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    has_password: bool = True


CONNECTION = ("ping", "select", "client|setinfo", "multi", "exec")
# Scripts do as much as their user may: these are what ours call.
SCRIPTS = ("eval", "evalsha", "script|load")
KEYS = ("get", "set", "del", "exists", "expire")
EVENTS = ("incr", "xadd", "publish")
QUEUES = ("lpush", "llen", "sadd", "smembers")

# Both: pages and settling tell the browser, both keep and read the cache.
EVENT_KEYS = (
    redis.event_counter(ANY),
    redis.event_stream(ANY),
    redis.event_epoch(),
    redis.job_status(ANY),
    redis.job_progress(ANY),
    redis.job_preview(ANY),
    # Django's cache, by its prefix in the settings.
    "cache:*",
)
EVENT_CHANNELS = ("asgi*",)
# kombu appends the priority to a queue's name, and keeps its own book of queues.
QUEUE_KEYS = (
    # Those of other lanes than the GPUs' begin like it.
    redis.tier_queue(ANY),
    f"{SWEEP_QUEUE}*",
    f"{MAINTENANCE_QUEUE}*",
    "_kombu.*",
)

# Celery subscribes to patterns, and those have to stand here word by word: one for each
# of the databases that a server has by default.
CELERY_CHANNELS = tuple(
    f"/{database}.{channel}"
    for database in range(16)
    for channel in ("celery.pidbox", "celeryev/*")
)

WEB = RedisUser(
    name="web",
    commands=(
        # Into the queues, never out of them.
        *(*CONNECTION, *SCRIPTS, *KEYS, *EVENTS, *QUEUES),
        # Open pages, tickets and limits.
        *("subscribe", "unsubscribe", "xrange", "getdel", "incrby", "decr", "ttl"),
        # A user's open sockets in all processes, and the newest event of many users.
        *("zadd", "zrem", "zcard", "zremrangebyscore", "mget"),
    ),
    keys=(
        *EVENT_KEYS,
        *QUEUE_KEYS,
        redis.token_blacklist(ANY),
        redis.ws_ticket(ANY),
        redis.user_online(ANY),
        redis.user_sockets(ANY),
        redis.generation_rate(ANY),
        redis.api_rate(ANY),
        redis.picture_rate(ANY),
        redis.sign_in_rate(ANY),
        redis.sign_up_rate(ANY),
    ),
    channels=EVENT_CHANNELS,
)

# Generation and maintenance workers, Beat and `celery inspect`.
WORKER = RedisUser(
    name="worker",
    commands=(
        *(*CONNECTION, *SCRIPTS, *KEYS, *EVENTS, *QUEUES),
        *("psubscribe", "punsubscribe", "script|exists", "watch", "unwatch"),
        *("rpush", "brpop", "rpop", "pexpire"),
        # The messages that a worker has taken and not yet acknowledged.
        *("hset", "hget", "hdel", "zadd", "zrem", "zrange", "zrevrangebyscore"),
        # Which queues there are, and until when those for answers.
        *("srem", "zrangebyscore", "time"),
    ),
    keys=(
        *EVENT_KEYS,
        *QUEUE_KEYS,
        "unacked*",
        # Questions like `celery inspect`, and the answers.
        "*.celery.pidbox*",
        redis.model_cache(ANY),
        redis.model_download_lock(ANY),
    ),
    channels=(*EVENT_CHANNELS, *CELERY_CHANNELS),
)

# For people: it sees and empties everything, and makes the server neither load code
# nor copy itself elsewhere.
ADMINISTRATOR = RedisUser(
    name="administrator",
    commands=("@all",),
    denied=(
        *("module", "debug", "replicaof", "slaveof", "psync", "sync", "migrate"),
        *("cluster", "failover"),
    ),
    keys=("*",),
    channels=("*",),
)

# A container's health check: a server that still loads its data says so.
PROBE = RedisUser(name="probe", commands=("ping",), has_password=False)

USERS = (WEB, WORKER, ADMINISTRATOR, PROBE)


def merge_users(name: str, *users: RedisUser) -> RedisUser:
    """Return a user who may do what any of `users` may."""
    return RedisUser(
        name=name,
        commands=_union(user.commands for user in users),
        keys=_union(user.keys for user in users),
        channels=_union(user.channels for user in users),
    )


def list_rules(
    users: Iterable[RedisUser],
    passwords: Mapping[str, str],
    *,
    version: tuple[int, ...] = NEWEST,
) -> list[str]:
    """Return the lines of an ACL file; passwords stand in them as digests alone.

    Args:
        passwords: by the user's name.
        version: of the server that is to read them.
    """
    nobody = "user default off resetpass resetkeys resetchannels -@all"
    return [nobody, *(_rule(user, passwords, version) for user in users)]


def _rule(
    user: RedisUser, passwords: Mapping[str, str], version: tuple[int, ...]
) -> str:
    known = (name for name in user.commands if SINCE.get(name, ()) <= version)
    password = f"#{_digest(passwords[user.name])}" if user.has_password else "nopass"
    return " ".join(
        (
            *("user", user.name, "on", password, "resetkeys", "resetchannels"),
            *(f"~{pattern}" for pattern in user.keys),
            *(f"&{pattern}" for pattern in user.channels),
            "-@all",
            *(f"+{name}" for name in known),
            *(f"-{name}" for name in user.denied),
        )
    )


def _digest(password: str) -> str:
    """What the server keeps of a password, which therefore has to be a random one."""
    return sha256(password.encode()).hexdigest()


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for group in groups for item in group))
