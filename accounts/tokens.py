"""What programs show instead of a session: access tokens, refresh tokens, tickets.

An access token (a JWT of minutes) is believed while its signature, its family and its
epoch hold. A family is one sign-in and lives in PostgreSQL, so ending it survives the
loss of Redis; the blacklist in Redis only spares the database a look. The epoch is a
keyed hash over the password and `User.token_version`: a new password ends every token
and every session, whoever set it, and so does a raised version.

A refresh token is good once. One that comes a second time was stolen or its answer was
lost: nobody can tell, so the family ends and its owner signs in again.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import TokenFamily, User
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as
from pingvas.core.db.compiled import FirstOf
from pingvas.core.db.functions import Now
from pingvas.core.errors import NotSignedIn, ServiceUnavailable
from pingvas.core.events import doubt_sessions_on_commit
from pingvas.core.redis import (
    WS_TICKET_TTL_SECONDS,
    redis_client,
    token_blacklist,
    ws_ticket,
)

log = logging.getLogger(__name__)

AnyToken = TypeVar("AnyToken", bound=Token)

LONGEST_TOKEN = 2_000
EPOCH_LENGTH = 32
# Access tokens whose signature a process need not verify again.
KNOWN_TOKENS = 1_000
# What the library raises at tokens that nobody issued, however rightly signed.
_BROKEN = (TokenError, RecursionError, ArithmeticError, ValueError, TypeError, OSError)


class TokenInvalid(NotSignedIn):
    code = "token_invalid"
    message = _("This token is not valid (any more). Sign in again.")
    auth_header = 'Bearer error="invalid_token"'


class TokenExpired(TokenInvalid):
    code = "token_expired"
    message = _("This token has expired.")


class RefreshTokenReused(TokenInvalid):
    code = "refresh_token_reused"
    message = _("This refresh token was used before. Sign in again.")
    keeps_writes = True


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """An access token good for `expires_in` seconds, and what renews it once."""

    access: str
    refresh: str
    expires_in: int


def issue_tokens(*, user: User) -> Tokens:
    """Begin a family for `user`, whose password (or the like) was just verified."""
    refresh = RefreshToken()
    with acting_as(IDENTITY):
        # Read anew: verifying may have hashed the password again.
        user = User.objects.get(pk=user.id)
        family = TokenFamily.objects.create(
            user=user, refresh_jti=refresh["jti"], expires_at=_end_of(refresh)
        )
    return _signed(refresh, user, family)


def rotate_tokens(*, refresh: str) -> Tokens:
    """Trade a refresh token for new tokens. Locks its family.

    Raises TokenInvalid, TokenExpired, or RefreshTokenReused, which ends the family.
    """
    shown = _verified(RefreshToken, refresh)
    with acting_as(IDENTITY):
        user = user_of(shown)
        family = TokenFamily.objects.select_for_update().get(pk=shown["sid"])
        fresh = family.ended_at is None and family.refresh_jti == shown["jti"]
        following = RefreshToken()
        if fresh:
            family.refresh_jti = following["jti"]
            family.expires_at = _end_of(following)
            family.save(update_fields=["refresh_jti", "expires_at"])
        else:
            _end_families(user.id, pk=family.pk)
    if not fresh:
        # Outside the block, which the error would roll back.
        raise RefreshTokenReused
    return _signed(following, user, family)


def read_access_token(raw: str) -> AccessToken:
    """The token if its signature and time are good and nobody signed it out.

    Raises TokenInvalid, TokenExpired. Asks Redis alone; `user_of` asks PostgreSQL.
    """
    token = _access_token(raw)
    if token["exp"] <= time():
        raise TokenExpired
    try:
        signed_out = bool(redis_client().exists(token_blacklist(token["jti"])))
    except RedisError:
        # PostgreSQL knows the family's end as well.
        log.warning("token blacklist unavailable")
        return token
    if signed_out:
        raise TokenInvalid
    return token


# A token comes with every request of its minutes, and its signature stays what it is.
@lru_cache(maxsize=KNOWN_TOKENS)
def _access_token(raw: str) -> AccessToken:
    return _verified(AccessToken, raw)


# Asked with every request that brings a token (`submit` in bench/RESULTS.md).
_user_of_family = FirstOf(
    lambda user_id, family_id: User.objects.filter(
        id=user_id,
        is_active=True,
        token_families__id=family_id,
        token_families__ended_at__isnull=True,
    ),
    user_id=UUID(int=1),
    family_id=UUID(int=2),
)


def user_of(token: Token) -> User:
    """The active user of a verified token whose family lives; TokenInvalid without.

    The caller acts as that user already, or as identity.
    """
    user = _user_of_family(user_id=token["sub"], family_id=token["sid"])
    if user is None or not _is_of_now(token, user):
        raise TokenInvalid
    return user


def _is_of_now(token: Token, user: User) -> bool:
    """Whether neither password nor version changed since the token was issued."""
    if token["epoch"] == _epoch(user):
        return True
    others = user.get_session_auth_fallback_hash()
    return token["epoch"] in [epoch[:EPOCH_LENGTH] for epoch in others]


def sign_out(*, user: User, token: Token) -> None:
    """End the family of an access token, and the token itself at once."""
    with acting_as(IDENTITY):
        _end_families(user.id, pk=token["sid"])
    _blacklist(token)
    doubt_sessions_on_commit(user.id)


def sign_out_everywhere(*, user: User) -> None:
    """End every token and every session of `user`."""
    with acting_as(IDENTITY):
        User.objects.filter(pk=user.id).update(token_version=F("token_version") + 1)
        _end_families(user.id)
        doubt_sessions_on_commit(user.id)


def purge_token_families() -> int:
    """Delete the families whose last token has expired; returns how many."""
    with acting_as(SERVICE):
        return TokenFamily.objects.filter(expires_at__lt=Now()).delete()[0]


@dataclass(frozen=True, kw_only=True)
class TicketHolder:
    """Whose ticket it is, and the program's or browser's sign-in that it ends with."""

    user_id: UUID
    family_id: UUID | None = None
    session_key: str | None = None


def issue_ws_ticket(
    *, user_id: UUID, token: Token | None = None, session_key: str | None = None
) -> str:
    """A ticket that opens one WebSocket within seconds; ServiceUnavailable.

    The socket ends with the sign-in of `token` or with the session.
    """
    ticket = secrets.token_urlsafe(32)
    family = token["sid"] if token else ""
    content = f"{user_id} {family} {session_key or ''}"
    try:
        redis_client().set(ws_ticket(ticket), content, ex=WS_TICKET_TTL_SECONDS)
    except RedisError as error:
        raise ServiceUnavailable from error
    return ticket


def spend_ws_ticket(ticket: str) -> TicketHolder | None:
    """Whose ticket it is, once; None when spent, expired or made up.

    The caller reads the user's row, which may have been closed since. Raises
    ServiceUnavailable.
    """
    try:
        found: Any = redis_client().getdel(ws_ticket(ticket))
        return _holder(found) if found else None
    except RedisError as error:
        raise ServiceUnavailable from error
    except ValueError:
        # Written by somebody else.
        return None


def _holder(kept: str) -> TicketHolder:
    user_id, family, session_key = kept.split(" ")
    return TicketHolder(
        user_id=UUID(user_id),
        family_id=UUID(family) if family else None,
        session_key=session_key or None,
    )


def _verified(kind: type[AnyToken], raw: str) -> AnyToken:
    if len(raw) > LONGEST_TOKEN or not raw.isascii():
        raise TokenInvalid
    try:
        token = kind(raw)  # type: ignore[arg-type]  # the library takes the text too
    except ExpiredTokenError as error:
        raise TokenExpired from error
    except _BROKEN as error:
        # The header is parsed before it is verified, however deep it nests; and the
        # library takes any JSON for a time.
        raise TokenInvalid from error
    if not _names_a_sign_in(token):
        raise TokenInvalid
    return token


def _names_a_sign_in(token: Token) -> bool:
    """Whether whose token it is can be asked of the servers at all."""
    try:
        UUID(token["sub"])
        UUID(token["sid"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return False
    return isinstance(token.get("epoch"), str) and isinstance(token["jti"], str)


def _signed(refresh: RefreshToken, user: User, family: TokenFamily) -> Tokens:
    access = AccessToken()
    for token in (access, refresh):
        token["sub"] = str(user.id)
        token["sid"] = str(family.id)
        token["epoch"] = _epoch(user)
    return Tokens(
        access=str(access),
        refresh=str(refresh),
        expires_in=int(access["exp"] - access["iat"]),
    )


def _epoch(user: User) -> str:
    return user.get_session_auth_hash()[:EPOCH_LENGTH]


def _end_of(token: Token) -> datetime:
    return datetime.fromtimestamp(token["exp"], tz=UTC)


def _end_families(user_id: UUID, **which: Any) -> None:
    living = TokenFamily.objects.filter(user_id=user_id, ended_at=None, **which)
    living.update(ended_at=Now())


def _blacklist(token: Token) -> None:
    seconds = int(token["exp"] - time()) + 1
    try:
        redis_client().set(token_blacklist(token["jti"]), "1", ex=max(seconds, 1))
    except RedisError:
        log.warning("token blacklist unavailable")
