"""Browser sessions: in PostgreSQL, with a copy in the cache that is asked first.

Nobody but the identity actor may touch them: whoever reads sessions is everybody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.core.cache import caches
from django.db import transaction
from redis.exceptions import RedisError

from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.errors import ServiceUnavailable
from pingvas.core.redis import redis_client

if TYPE_CHECKING:
    from django.contrib.sessions.models import Session

# What Django makes; anything else in a cookie is nobody's key.
KEY = re.compile(r"[a-z0-9]{32}")
PURGED_AT_ONCE = 1_000


class SessionStore(cached_db.SessionStore):
    """Acts as identity while it asks PostgreSQL, takes only keys that it may have made,
    and from the cache only sessions.

    Django's own asks both servers for whatever a cookie says, and PostgreSQL raises at
    NUL. PostgreSQL's copy is signed; the cache's is not, and what is none is read anew.
    """

    def _validate_session_key(self, key: Any) -> bool:
        return isinstance(key, str) and KEY.fullmatch(key) is not None

    def load(self) -> dict[str, Any]:
        found: Any = super().load()
        if not _is_session(found):
            caches[settings.SESSION_CACHE_ALIAS].delete(self.cache_key)
            found = super().load()
        return found if _is_session(found) else {}

    def _get_session_from_db(self) -> Session | None:
        with acting_as(IDENTITY, savepoint=False):
            found: Session | None = super()._get_session_from_db()  # type: ignore[misc]  # untyped in the stubs
        return found

    def exists(self, session_key: str) -> bool:
        with acting_as(IDENTITY, savepoint=False):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        # With a savepoint: a session that is gone by now is no fault of the request.
        with acting_as(IDENTITY):
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        """End the session for good; ServiceUnavailable while the cache cannot be told.

        A copy that stays there would let its cookie in again once Redis is back.
        """
        key = session_key or self.session_key
        self._forget(key)
        with acting_as(IDENTITY, savepoint=False):
            super().delete(session_key)
            # Once more: until the commit another request finds the row, and keeps it.
            transaction.on_commit(lambda: self._forget(key), robust=True)

    def lives(self) -> bool:
        """Whether PostgreSQL has the session, whatever the cache says."""
        with acting_as(IDENTITY, savepoint=False):
            return (
                bool(self.session_key)
                and self.model.objects.filter(
                    session_key=self.session_key, expire_date__gt=Now()
                ).exists()
            )

    def _forget(self, key: str | None) -> None:
        if key is None:
            return
        cache = caches[settings.SESSION_CACHE_ALIAS]
        try:
            redis_client().delete(cache.make_key(self.cache_key_prefix + key))
        except RedisError as error:
            raise ServiceUnavailable from error


def _is_session(found: Any) -> bool:
    """Whether whoever reads the session finds what they expect."""
    if not isinstance(found, dict):
        return False
    if SESSION_KEY not in found:
        return True
    try:
        UUID(found[SESSION_KEY])
    except (ValueError, TypeError, AttributeError):
        return False
    return isinstance(found.get(HASH_SESSION_KEY), str)


def purge_sessions() -> int:
    """Delete the sessions whose time is over; returns how many."""
    total = 0
    while deleted := _purge_some():
        total += deleted
    return total


def _purge_some() -> int:
    """A transaction's worth of them: sign-ins go on meanwhile."""
    sessions = SessionStore.get_model_class().objects
    with acting_as(SERVICE):
        over = sessions.filter(expire_date__lt=Now()).order_by("expire_date")
        batch = over.values("session_key")[:PURGED_AT_ONCE]
        return int(sessions.filter(session_key__in=batch).delete()[0])
