"""Who sends an API request.

`REST_FRAMEWORK` names two classes, asked in this order: `BearerAuthentication` here
(`Authorization: Bearer <access token>`), then DRF's session authentication, which also
checks CSRF. A view says nothing: `request.user` is a `User`, the transaction acts as
that user, and `request.auth` is the access token or None. Anonymous requests are
refused with 401; a view that is open says `authentication_classes = ()` and
`permission_classes = ()`. Handlers that need a sign-in take a `UserRequest`.
"""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.tokens import read_access_token, user_of
from pingvas.core.db.actor import become, user_actor


class UserRequest(Request):
    """For annotations: what a handler gets once the permission check has passed."""

    user: User
    auth: AccessToken | None


class BearerAuthentication(BaseAuthentication):
    """Takes the actor after the signature is verified and before any row is read."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        scheme, _, raw = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = read_access_token(raw.strip())
        become(user_actor(token["sub"]))
        return user_of(token), token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
