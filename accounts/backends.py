"""Sign-in with e-mail and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.models import User
from pingvas.core.db.actor import IDENTITY, acting_as, user_actor


class PasswordBackend(ModelBackend):
    """Looks accounts up as the identity actor, which sees `users` and nothing else."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        email = username or kwargs.get(User.USERNAME_FIELD) or ""
        with acting_as(IDENTITY):
            user = super().authenticate(
                request, User.objects.normalize_email(email), password
            )
        return user if isinstance(user, User) else None

    def get_user(self, user_id: Any) -> User | None:
        # Already the actor inside a request, and then without a flight of its own;
        # consumers and commands come without one.
        with acting_as(user_actor(user_id), savepoint=False):
            user = super().get_user(user_id)
        return user if isinstance(user, User) else None
