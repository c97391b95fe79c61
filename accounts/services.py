"""What happens to accounts."""

from __future__ import annotations

from typing import Any


from accounts.models import User
from pingvas.core.db.actor import IDENTITY, acting_as
from pingvas.core.db.functions import Now


def record_sign_in(sender: Any, user: User, **kwargs: Any) -> None:
    """Receiver of `user_logged_in`: keeps `last_login_at` by the database's clock."""
    with acting_as(IDENTITY):
        User.objects.filter(pk=user.pk).update(last_login=Now())
