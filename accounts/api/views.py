"""Signing up, in and out, and one's own account."""

from __future__ import annotations

from django.contrib.auth import logout
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.serializers import (
    CredentialsSerializer,
    MeSerializer,
    ProfileSerializer,
    RefreshSerializer,
    SignOutSerializer,
    SignUpSerializer,
    TicketSerializer,
    TokensSerializer,
    read_input,
)
from accounts.authentication import UserRequest
from accounts.hashers import HashingBusy
from accounts.limits import SignInLimitReached, SignUpLimitReached
from accounts.services import (
    EmailTaken,
    WrongCredentials,
    register,
    sign_in,
    update_profile,
)
from accounts.tokens import (
    RefreshTokenReused,
    TokenExpired,
    TokenInvalid,
    issue_tokens,
    issue_ws_ticket,
    rotate_tokens,
    sign_out,
    sign_out_everywhere,
)
from pingvas.core.api.client import client_address
from pingvas.core.api.schema import errors
from pingvas.core.redis import WS_TICKET_TTL_SECONDS


class OpenView(APIView):
    """For people who are not signed in: whatever they send along is not looked at."""

    authentication_classes = ()
    permission_classes = ()


class SignUpView(OpenView):
    @extend_schema(
        operation_id="sign_up",
        tags=["auth"],
        request=SignUpSerializer,
        responses={201: MeSerializer}
        | errors(EmailTaken, SignUpLimitReached, HashingBusy),
    )
    def post(self, request: Request) -> Response:
        """Make an account. Sign in with `auth/token` afterwards."""
        values = read_input(SignUpSerializer, request)
        user = register(ip_address=client_address(request._request), **values)
        return Response(MeSerializer(user).data, status=status.HTTP_201_CREATED)


class TokenView(OpenView):
    @extend_schema(
        operation_id="create_token",
        tags=["auth"],
        request=CredentialsSerializer,
        responses={200: TokensSerializer}
        | errors(WrongCredentials, SignInLimitReached, HashingBusy),
    )
    def post(self, request: Request) -> Response:
        """Trade an e-mail address and password for tokens."""
        values = read_input(CredentialsSerializer, request)
        user = sign_in(ip_address=client_address(request._request), **values)
        return Response(TokensSerializer(issue_tokens(user=user)).data)


class TokenRefreshView(OpenView):
    @extend_schema(
        operation_id="refresh_token",
        tags=["auth"],
        request=RefreshSerializer,
        responses={200: TokensSerializer}
        | errors(TokenInvalid, TokenExpired, RefreshTokenReused),
    )
    def post(self, request: Request) -> Response:
        """Trade a refresh token for new tokens, once. A second use ends the sign-in."""
        tokens = rotate_tokens(**read_input(RefreshSerializer, request))
        return Response(TokensSerializer(tokens).data)


class LogoutView(APIView):
    @extend_schema(
        operation_id="sign_out",
        tags=["auth"],
        request=SignOutSerializer,
        responses={204: None},
    )
    def post(self, request: UserRequest) -> Response:
        """End this sign-in at once: its access token, refresh token or session."""
        if read_input(SignOutSerializer, request)["everywhere"]:
            sign_out_everywhere(user=request.user)
        if request.auth is None:
            logout(request._request)
        else:
            sign_out(user=request.user, token=request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)


class WsTicketView(APIView):
    @extend_schema(
        operation_id="create_ws_ticket",
        tags=["auth"],
        request=None,
        responses={201: TicketSerializer},
    )
    def post(self, request: UserRequest) -> Response:
        """A ticket that opens one WebSocket within seconds."""
        ticket = issue_ws_ticket(
            user_id=request.user.id,
            token=request.auth,
            session_key=None if request.auth else request.session.session_key,
        )
        body = {"ticket": ticket, "expires_in": WS_TICKET_TTL_SECONDS}
        return Response(body, status=status.HTTP_201_CREATED)


class MeView(APIView):
    @extend_schema(operation_id="get_me", tags=["me"], responses=MeSerializer)
    def get(self, request: UserRequest) -> Response:
        """One's own account."""
        return Response(MeSerializer(request.user).data)

    @extend_schema(
        operation_id="update_me",
        tags=["me"],
        request=ProfileSerializer,
        responses=MeSerializer,
    )
    def patch(self, request: UserRequest) -> Response:
        """Change the name that others see; null or empty takes it away."""
        values = read_input(ProfileSerializer, request)
        return Response(MeSerializer(update_profile(user=request.user, **values)).data)
