"""Who may open a socket, and who may keep it open. Synchronous: runs in a thread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain

from accounts.limits import count_api_request
from accounts.models import TokenFamily, User, password_mark
from accounts.tokens import TicketHolder, spend_ws_ticket
from pingvas.core.db.actor import IDENTITY, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.core.errors import TooManyRequests
from pingvas.core.serving.clients import address_in
from pingvas.core.serving.door import TOO_MANY_SOCKETS

NOT_SIGNED_IN = 4401
FOREIGN_ORIGIN = 4403
AT_ONCE = 1000


class Refused(Exception):
    """This socket is not for this client; `code` is the close code that says why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Guest:
    """Whose socket it is.

    epoch: changes with the password and when the user signs out everywhere. mark: so
    does this one, which is found out quickly and means nothing outside the process.
    session_key, family_id: the sign-in that the socket ends with, of a browser or of a
    program; neither for a ticket of nobody's.
    """

    user_id: UUID
    epoch: str
    mark: int
    session_key: str | None = None
    family_id: UUID | None = None


def admit(scope: dict[str, Any]) -> Guest:
    """The user that a WebSocket's request proves to be; else Refused.

    Counted with the API's requests of its address: each one may be a guess.

    A ticket (`?token=`) is proof by itself. A cookie is sent by the browser whatever
    page asks for it: it is believed only when the page is one of ours. Raises
    ServiceUnavailable, RedisError or DatabaseError when a server is away.
    """
    try:
        count_api_request(address_in(scope))
    except TooManyRequests:
        raise Refused(TOO_MANY_SOCKETS) from None
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if "token" in query:
        return _guest_with_ticket(spend_ws_ticket(query["token"][-1]))
    headers = _headers(scope)
    if not is_own_origin(headers.get("origin", ""), headers.get("host", "")):
        raise Refused(FOREIGN_ORIGIN)
    cookies = parse_cookie(headers.get("cookie", ""))
    session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return _guest_of_session(session_key)


def stays_welcome(guest: Guest) -> bool:
    """Whether the proof of `admit` still holds."""
    try:
        if guest.session_key is None:
            return _guest_of_family(guest.user_id, guest.family_id) == guest
        return _guest_of_session(guest.session_key) == guest
    except Refused:
        return False


def doubtful(guests: Collection[Guest]) -> set[Guest]:
    """Those of many whose proof may not hold any more: `stays_welcome` says so."""
    found: set[Guest] = set()
    remaining = list(guests)
    while remaining:
        some, remaining = remaining[:AT_ONCE], remaining[AT_ONCE:]
        with acting_as(IDENTITY):
            found |= _without_proof(some)
    return found


def _without_proof(guests: list[Guest]) -> set[Guest]:
    users = User.objects.filter(is_active=True, pk__in={g.user_id for g in guests})
    rows = users.values_list("pk", "password", "token_version")
    marks = {user_id: _mark(password, version) for user_id, password, version in rows}
    keys = {g.session_key for g in guests}
    sessions = Session.objects.filter(session_key__in=keys, expire_date__gt=Now())
    families = TokenFamily.objects.filter(
        pk__in={g.family_id for g in guests}, ended_at=None
    )
    living = {
        None,
        *sessions.values_list("session_key", flat=True),
        *families.values_list("pk", flat=True),
    }
    return {
        guest
        for guest in guests
        if marks.get(guest.user_id) != guest.mark
        or not {guest.session_key, guest.family_id} <= living
    }


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
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    if not session.lives():
        raise Refused(NOT_SIGNED_IN)
    shown = session.get(HASH_SESSION_KEY, "")
    return _guest(session.get(SESSION_KEY), session_key=session_key, shown=shown)


def _guest_with_ticket(holder: TicketHolder | None) -> Guest:
    if holder is None:
        raise Refused(NOT_SIGNED_IN)
    if holder.session_key is None:
        return _guest_of_family(holder.user_id, holder.family_id)
    return _guest_of_session(holder.session_key)


def _guest_of_family(user_id: UUID, family_id: UUID | None) -> Guest:
    if family_id is not None:
        with acting_as(user_actor(user_id)):
            if not TokenFamily.objects.filter(pk=family_id, ended_at=None).exists():
                raise Refused(NOT_SIGNED_IN)
    return _guest(user_id, family_id=family_id)


def _guest(
    user_id: UUID | str | None, *, shown: str | None = None, **sign_in: Any
) -> Guest:
    """`shown`: the epoch that a session must have; a ticket has none to show."""
    user = _active_user(user_id) if user_id else None
    if user is None:
        raise Refused(NOT_SIGNED_IN)
    epoch = user.get_session_auth_hash()
    good = (epoch, *user.get_session_auth_fallback_hash())
    if shown is not None and not any(constant_time_compare(shown, one) for one in good):
        raise Refused(NOT_SIGNED_IN)
    mark = _mark(user.password, user.token_version)
    return Guest(user.id, epoch, mark, **sign_in)


def _mark(password: str | None, version: int) -> int:
    return hash((password_mark(password), version))


def _active_user(user_id: UUID | str) -> User | None:
    with acting_as(user_actor(user_id)):
        return User.objects.filter(pk=user_id, is_active=True).first()
