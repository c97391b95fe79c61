"""Who uses Pingvas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import (
    UNUSABLE_PASSWORD_PREFIX,
    check_password,
    identify_hasher,
    make_password,
)
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts.addresses import validate_new_address
from accounts.hashers import HashingBusy
from accounts.tiers import Tier
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as
from pingvas.core.db.schema import ForeignKey, Index, created_at, updated_at, uuid_key


class OAuthProvider(models.TextChoices):
    EMAIL = "email"
    GOOGLE = "google"
    DISCORD = "discord"


class UserManager(BaseUserManager["User"]):
    def create_user(
        self, email: str, password: str | None = None, **extra: Any
    ) -> User:
        """Insert a user; without `password` nobody can sign in with one."""
        user = self.model(email=self.normalize_email(email), **extra)
        user.set_password(password)
        user.save(force_insert=True)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **extra: Any
    ) -> User:
        validate_new_address(self.normalize_email(email))
        # `manage.py createsuperuser` comes without an actor, and so would see and write
        # nothing: the first member of staff could not be made. Signing up makes none.
        with acting_as(SERVICE):
            return self.create_user(
                email, password, **{**extra, "is_staff": True, "is_superuser": True}
            )

    def get_by_natural_key(self, username: str | None) -> User:
        with acting_as(IDENTITY, savepoint=False):
            found = self.filter(email=self.normalize_email(username)).first()
        if found is None:
            raise self.model.DoesNotExist
        return found

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Lower-cased: the table refuses any other spelling."""
        return (email or "").strip().lower()


class User(AbstractBaseUser, PermissionsMixin):
    """An account. `password` (column `password_hash`) is NULL where none was set."""

    id = uuid_key()
    email = models.EmailField(max_length=255)
    password = models.CharField(  # type: ignore[assignment]  # nullable, unlike Django's
        max_length=255, null=True, blank=True, db_column="password_hash"
    )
    display_name = models.CharField(max_length=100, null=True, blank=True)
    avatar_url = models.CharField(max_length=500, null=True, blank=True)
    oauth_provider = models.CharField(
        max_length=20, choices=OAuthProvider, db_default=OAuthProvider.EMAIL.value
    )
    oauth_id = models.CharField(max_length=255, null=True, blank=True)
    tier = models.CharField(
        max_length=20,
        choices=Tier,
        db_default=Tier.FREE.value,
        db_comment="현재 구독 등급 (denormalized)",
    )
    is_active = models.BooleanField(default=True, db_default=True)
    token_version = models.IntegerField(default=0, db_default=0, editable=False)
    is_staff = models.BooleanField(default=False, db_default=False)
    created_at = created_at()
    updated_at = updated_at()
    last_login = models.DateTimeField(
        null=True, blank=True, editable=False, db_column="last_login_at"
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        db_table_comment = "사용자 계정 정보"
        constraints = [
            models.UniqueConstraint(fields=["email"], name="users_email_key"),
            models.UniqueConstraint(
                fields=["oauth_provider", "oauth_id"], name="unique_oauth"
            ),
            models.CheckConstraint(
                condition=Q(oauth_provider__in=OAuthProvider.values),
                name="users_oauth_provider_check",
            ),
            models.CheckConstraint(
                condition=Q(tier__in=Tier.values), name="users_tier_check"
            ),
            models.CheckConstraint(
                condition=Q(email__eq=Lower(F("email"))), name="users_email_lower_check"
            ),
        ]
        indexes = [
            Index(fields=["email"], name="idx_users_email"),
            Index(
                fields=["oauth_provider", "oauth_id"],
                name="idx_users_oauth",
                condition=Q(oauth_provider__ne=OAuthProvider.EMAIL.value),
            ),
            Index(fields=["tier"], name="idx_users_tier"),
        ]

    def __str__(self) -> str:
        return self.email

    def has_usable_password(self) -> bool:
        return self.password is not None and super().has_usable_password()

    def check_password(self, raw_password: str | None) -> bool:
        # Where no password was set Django hashes one all the same: the time that the
        # answer takes must not tell such accounts from others.
        encoded = self.password or UNUSABLE_PASSWORD_PREFIX
        return check_password(raw_password or "", encoded, self._hash_anew)

    def _hash_anew(self, raw_password: str) -> None:
        """Keep the password that was just checked at today's cost.

        Unless it was changed meanwhile. The salt stays, and so do sessions and tokens.
        """
        before = str(self.password)
        salt = identify_hasher(before).decode(before)["salt"]
        try:
            after = make_password(raw_password, salt=salt)
        except HashingBusy:
            return
        with acting_as(IDENTITY):
            mine = User.objects.filter(pk=self.pk, password=before)
            if mine.update(password=after):
                self.password = after

    def set_password(self, raw_password: str | None) -> None:
        if raw_password is None:
            self.set_unusable_password()
        else:
            super().set_password(raw_password)

    def set_unusable_password(self) -> None:
        self.password = None

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Sessions and tokens end with the password, as everywhere in Django, and with
        # a raised version as well.
        return self._epoch(password_mark(self.password), secret)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        yield from super().get_session_auth_fallback_hash()
        # Of sessions and tokens from before hashes were made anew at sign-in: they
        # last for two weeks, and so must this line.
        yield self._epoch(self.password)

    def _epoch(self, mark: str | None, secret: str | None = None) -> str:
        return salted_hmac(
            "accounts.User.epoch",
            f"{self.token_version}:{mark}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


def password_mark(encoded: str | None) -> str | None:
    """What a new password changes, and the same one at another cost does not.

    That is the salt: every password that is set gets another.
    """
    algorithm, *rest = (encoded or "").split("$")
    return rest[-2] if algorithm == "argon2" and len(rest) > 2 else encoded


class TokenFamily(models.Model):
    """One sign-in by a program: its refresh token and those that replaced it.

    Only the newest refresh token, by its `jti`, is taken. The row holds no token: none
    can be made from it without the signing key.
    """

    id = uuid_key()
    user = ForeignKey(User, "CASCADE", related_name="token_families")
    refresh_jti = models.CharField(max_length=32)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    created_at = created_at()

    class Meta:
        db_table = "token_families"
        indexes = [
            Index(fields=["expires_at"], name="idx_token_families_expires_at"),
            Index(fields=["user"], name="idx_token_families_user_id"),
        ]

    def __str__(self) -> str:
        return str(self.id)
