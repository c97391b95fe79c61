"""One transaction and one actor for each request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase

from pingvas.core.db.actor import NOBODY, Actor, acting_as, become, user_actor

# Answered without touching the database's private rows, and often.
WITHOUT_TRANSACTION = ("/healthz", "/readyz", "/static/")


class ActorMiddleware:
    """Wraps the whole response, not the view alone (as ATOMIC_REQUESTS would).

    `request.user` and late-rendered templates need the actor too. Stands right below
    the session middleware; API tokens take the actor later, by `become`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(WITHOUT_TRANSACTION):
            return self.get_response(request)
        with acting_as(_session_actor(request)):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> None:
        # A session may outlive its user's password or account: then nobody acts.
        if SESSION_KEY in request.session and not request.user.is_authenticated:
            become(NOBODY)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        # Django turns the exception into a response before this middleware's
        # atomic() could see it: without this, a view that wrote and raised commits.
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)


def _session_actor(request: HttpRequest) -> Actor:
    user_id = request.session.get(SESSION_KEY)
    return NOBODY if user_id is None else user_actor(user_id)
