"""The people of the tests: alice owns, bob is a stranger to her, dana is staff."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from pingvas.core.db.actor import SERVICE, acting_as

PASSWORD = "a long enough password"


def make_user(name: str, **extra: Any) -> User:
    with acting_as(SERVICE):
        return User.objects.create_user(f"{name}@example.com", PASSWORD, **extra)
