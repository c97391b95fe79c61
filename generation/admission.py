"""Who may open a socket, and who may keep it open. Synchronous: runs in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain

from accounts.models import User
from accounts.tokens import spend_ws_ticket
from pingvas.core.db.actor import acting_as, user_actor
from pingvas.core.redis import ONLINE_TTL_SECONDS, redis_client, user_online

NOT_SIGNED_IN = 4401
FOREIGN_ORIGIN = 4403


class Refused(Exception):
    """This socket is not for this client; `code` is the close code that says why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Guest:
    """Whose socket it is.

    epoch: changes with the password and when the user signs out everywhere.
    session_key: None for the holder of a ticket.
    """

    user_id: UUID
    epoch: str
    session_key: str | None


def admit(scope: Mapping[str, Any]) -> Guest:
    """The user that a WebSocket's request proves to be; else Refused.

    A ticket (`?token=`) is proof by itself. A cookie is sent by the browser whatever
    page asks for it: it is believed only when the page is one of ours. Raises
    ServiceUnavailable, RedisError or DatabaseError when a server is away.
    """
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if "token" in query:
        return _guest(spend_ws_ticket(query["token"][-1]), session_key=None)
    headers = _headers(scope)
    if not is_own_origin(headers.get("origin", ""), headers.get("host", "")):
        raise Refused(FOREIGN_ORIGIN)
    cookies = parse_cookie(headers.get("cookie", ""))
    session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return _guest_of_session(session_key)


def stays_welcome(guest: Guest) -> bool:
    """Whether the proof of `admit` still holds; marks the user as online if so."""
    try:
        if guest.session_key is None:
            found = _guest(guest.user_id, session_key=None)
        else:
            found = _guest_of_session(guest.session_key)
    except Refused:
        return False
    if found != guest:
        return False
    mark_online(guest.user_id)
    return True


def mark_online(user_id: UUID) -> None:
    redis_client().set(user_online(user_id), "1", ex=ONLINE_TTL_SECONDS)


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` may use the cookies of `host` (both as sent).

    The page's host is the socket's own, and one of ALLOWED_HOSTS; or the origin is one
    of CSRF_TRUSTED_ORIGINS. ALLOWED_HOSTS alone would let every origin in where it is
    "*".
    """
    page = urlsplit(origin)
    if page.scheme not in {"http", "https"} or not page.netloc:
        return False
    if any(_is_trusted(page.scheme, page.netloc, t) for t in _trusted_origins()):
        return True
    if page.scheme == "http" and settings.SESSION_COOKIE_SECURE:
        return False
    domain, port = split_domain_port(host)
    is_ours = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
    default = "443" if page.scheme == "https" else "80"
    page_domain, page_port = split_domain_port(page.netloc)
    same_port = (page_port or default) == (port or default)
    return is_ours and page_domain == domain and same_port


def _is_trusted(scheme: str, netloc: str, trusted: str) -> bool:
    allowed = urlsplit(trusted.replace("*", ""))
    return scheme == allowed.scheme and is_same_domain(netloc.lower(), allowed.netloc)


def _trusted_origins() -> list[str]:
    return list(settings.CSRF_TRUSTED_ORIGINS)


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope["headers"]
    }


def _guest_of_session(session_key: str) -> Guest:
    if not session_key:
        raise Refused(NOT_SIGNED_IN)
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    shown = session.get(HASH_SESSION_KEY, "")
    return _guest(session.get(SESSION_KEY), session_key=session_key, shown=shown)


def _guest(
    user_id: UUID | str | None, *, session_key: str | None, shown: str | None = None
) -> Guest:
    """`shown`: the epoch that a session must have; a ticket has none to show."""
    user = _active_user(user_id) if user_id else None
    if user is None:
        raise Refused(NOT_SIGNED_IN)
    epoch = user.get_session_auth_hash()
    good = (epoch, *user.get_session_auth_fallback_hash())
    if shown is not None and not any(constant_time_compare(shown, one) for one in good):
        raise Refused(NOT_SIGNED_IN)
    return Guest(user.id, epoch, session_key)


def _active_user(user_id: UUID | str) -> User | None:
    with acting_as(user_actor(user_id)):
        return User.objects.filter(pk=user_id, is_active=True).first()
