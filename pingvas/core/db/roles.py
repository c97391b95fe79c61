"""The database's roles, by the names that the specification and the design give them.

Where one cluster holds both schemas, those of `dev_pingvas` carry a prefix
(DB_ROLE_PREFIX): its passwords then open nothing of `prod_pingvas`.
"""

from __future__ import annotations

import re

from django.conf import settings

OWNER = "pingvas_owner"
WEB = "app_user"
WORKER = "worker_user"
ANALYST = "readonly_user"
SERVICE = "service_user"
IDENTITY = "identity_user"

LOGIN_ROLES = (OWNER, WEB, WORKER, ANALYST)
# Taken by `SET LOCAL ROLE`, never inherited: their policies stay apart from a user's.
ACTOR_ROLES = (SERVICE, IDENTITY)
ROLES = (*LOGIN_ROLES, *ACTOR_ROLES)
# Which roles each login may take; a worker's user actor is the web's.
MAY_TAKE = {WEB: (SERVICE, IDENTITY), WORKER: (SERVICE, WEB)}

# A worker is the house from its first statement on.
BEGINS_AS = {WEB: WEB, WORKER: SERVICE}

_NAMED = re.compile(rf"\b({'|'.join(ROLES)})\b")


def role_name(role: str) -> str:
    """What `role` is called in this cluster."""
    return f"{settings.DB_ROLE_PREFIX}{role}"


def with_role_names(statement: str) -> str:
    """SQL that names roles as the specification does, for this cluster."""
    if not settings.DB_ROLE_PREFIX:
        return statement
    return _NAMED.sub(lambda found: role_name(found[1]), statement)
