"""Browser sessions: in PostgreSQL, with a copy in the cache that is asked first."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.core.cache import caches

# What Django makes; anything else in a cookie is nobody's key.
KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(cached_db.SessionStore):
    """Takes only keys that it may have made, and from the cache only sessions.

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
