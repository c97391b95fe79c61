"""What happens to accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import authenticate, password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.addresses import validate_new_address
from accounts.hashers import HashingBusy
from accounts.limits import count_sign_in, count_sign_up, forgive_sign_in
from accounts.models import User
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.core.errors import InvalidRequest, NotSignedIn, PingvasError
from pingvas.core.events import doubt_sessions_on_commit


class EmailTaken(PingvasError):
    code = "email_taken"
    status = 409
    message = _("There is already an account with this e-mail address.")


class WrongCredentials(NotSignedIn):
    code = "wrong_credentials"
    message = _("The e-mail address or the password is wrong.")


def register(
    *, email: str, password: str, ip_address: str, display_name: str = ""
) -> User:
    """`sign_up` for strangers: counted by address first.

    Raises SignUpLimitReached, and ServiceUnavailable while Redis is away.
    """
    count_sign_up(ip_address)
    return sign_up(email=email, password=password, display_name=display_name)


def sign_in(*, email: str, password: str, ip_address: str) -> User:
    """The active user with this password; its last sign-in is now.

    For programs: a page asks `check_credentials`, and `login()` records the sign-in.
    Raises what `check_credentials` raises, before anything is written.
    """
    user = check_credentials(email=email, password=password, ip_address=ip_address)
    record_sign_in(user=user)
    return user


def check_credentials(*, email: str, password: str, ip_address: str) -> User:
    """The active user with this password. Every door asks here: guesses add up.

    Raises WrongCredentials, SignInLimitReached, HashingBusy, and ServiceUnavailable
    while Redis is away.
    """
    count_sign_in(email=email, ip_address=ip_address)
    try:
        user = authenticate(username=email, password=password)
    except HashingBusy:
        # Nobody's guess: the password was not looked at.
        forgive_sign_in(email=email, ip_address=ip_address)
        raise
    if not isinstance(user, User):
        raise WrongCredentials
    forgive_sign_in(email=email, ip_address=ip_address)
    return user


def update_profile(*, user: User, display_name: str | None) -> User:
    user.display_name = (display_name or "").strip() or None
    with acting_as(user_actor(user.id)):
        user.save(update_fields=["display_name"])
    return user


def sign_up(*, email: str, password: str, display_name: str = "") -> User:
    """Make an account; InvalidRequest names each field at fault, EmailTaken a twin."""
    email = User.objects.normalize_email(email)
    user = User(email=email, display_name=display_name.strip() or None)
    problems: dict[str, list[str]] = {}
    checks: list[tuple[str, Callable[[], None]]] = [
        ("email", lambda: validate_new_address(email)),
        ("password", lambda: password_validation.validate_password(password, user)),
    ]
    for field, check in checks:
        try:
            check()
        except ValidationError as error:
            problems[field] = list(error.messages)
    if problems:
        raise InvalidRequest(fields=problems)
    user.set_password(password)
    return _insert(user)


def _insert(user: User) -> User:
    """The row as it is stored now; EmailTaken where there is one of this address.

    A refused INSERT would be an error, and PostgreSQL's log keeps those as they were
    sent: address and hash. The one that inserts nothing is none.
    """
    with acting_as(IDENTITY):
        User.objects.bulk_create([user], ignore_conflicts=True)
        made = User.objects.filter(pk=user.pk).first()
    if made is None:
        raise EmailTaken(fields={"email": [str(EmailTaken.message)]})
    return made


def keep_account(
    *, email: str, password: str, display_name: str, is_staff: bool = False
) -> User:
    """Make the account, or give the one there this password and these rights."""
    values: dict[str, Any] = {
        "display_name": display_name,
        "is_staff": is_staff,
        "is_superuser": is_staff,
    }
    with acting_as(SERVICE):
        known = User.objects.filter(email=email).first()
        if known is None or not known.check_password(password):
            values["password"] = make_password(password)
        # These columns alone: whatever else changed meanwhile stays.
        user, _made = User.objects.update_or_create(email=email, defaults=values)
    return user


def record_sign_out(sender: Any, user: User | None, **kwargs: Any) -> None:
    """Receiver of `user_logged_out`: open sockets of that session end at once."""
    if user is not None:
        doubt_sessions_on_commit(user.id)


def record_sign_in(*, user: User, **kwargs: Any) -> None:
    """Keep `last_login_at`, by the database's clock. Receiver of `user_logged_in`."""
    with acting_as(IDENTITY):
        User.objects.filter(pk=user.pk).update(last_login=Now())
