"""The accounts' part of the API, as it goes over the wire."""

from __future__ import annotations

from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import User
from accounts.tokens import LONGEST_TOKEN

# Hashing reads the whole password: a long one would cost seconds.
LONGEST_PASSWORD = 256

Input = TypeVar("Input", bound="serializers.Serializer[Any]")


def read_input(kind: type[Input], request: Request) -> dict[str, Any]:
    """The request's values as `kind` has them; a ValidationError names the rest."""
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def password_field() -> serializers.CharField:
    return serializers.CharField(
        max_length=LONGEST_PASSWORD, trim_whitespace=False, write_only=True
    )


class SignUpSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=255)
    password = password_field()
    display_name = serializers.CharField(
        max_length=100, allow_blank=True, required=False
    )


class CredentialsSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=255)
    password = password_field()


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=LONGEST_TOKEN)


class SignOutSerializer(serializers.Serializer[Any]):
    everywhere = serializers.BooleanField(
        default=False, help_text="End every token and browser session of this account."
    )


class ProfileSerializer(serializers.Serializer[Any]):
    display_name = serializers.CharField(
        max_length=100, allow_blank=True, allow_null=True
    )


class TokensSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="Send as `Authorization: Bearer ...`.")
    refresh = serializers.CharField(help_text="Good for one refresh.")
    expires_in = serializers.IntegerField(help_text="Seconds that `access` is good.")


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Opens /ws/v1/events?token= once.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class MeSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "email", "display_name", "avatar_url", "tier", "created_at")
        read_only_fields = fields
