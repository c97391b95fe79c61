"""Tickets that open one WebSocket: short-lived, good once, kept in Redis."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from pingvas.core.errors import ServiceUnavailable
from pingvas.core.redis import WS_TICKET_TTL_SECONDS, redis_client, ws_ticket


def issue_ws_ticket(*, user_id: UUID) -> str:
    """A ticket that opens one WebSocket within seconds; ServiceUnavailable."""
    ticket = secrets.token_urlsafe(32)
    try:
        redis_client().set(ws_ticket(ticket), str(user_id), ex=WS_TICKET_TTL_SECONDS)
    except RedisError as error:
        raise ServiceUnavailable from error
    return ticket


def spend_ws_ticket(ticket: str) -> UUID | None:
    """Whose ticket it is, once; None when spent, expired or made up.

    Raises ServiceUnavailable.
    """
    try:
        found: Any = redis_client().getdel(ws_ticket(ticket))
    except RedisError as error:
        raise ServiceUnavailable from error
    return UUID(found) if found else None
