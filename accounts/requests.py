"""The signed-in user of a request, with the type that the checker needs."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import User
from pingvas.core.errors import NotSignedIn


def signed_in(request: Request | HttpRequest) -> User:
    """The request's user; NotSignedIn for anybody else."""
    if not isinstance(request.user, User):
        raise NotSignedIn
    return request.user
