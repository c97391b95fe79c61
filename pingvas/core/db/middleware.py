"""One transaction and one actor for each request."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import get_user
from django.http import HttpRequest, HttpResponseBase

from pingvas.core.db.actor import (
    IDENTITY,
    NOBODY,
    Actor,
    become,
    user_actor,
)
from pingvas.core.db.unit_of_work import roll_back_unit_of_work, unit_of_work

# Answered without touching the database's private rows, and often.
WITHOUT_TRANSACTION = ("/readyz", "/static/")
SERVER_ERROR = 500


class ActorMiddleware:
    """Wraps the whole response, not the view alone (as ATOMIC_REQUESTS would).

    `request.user` and late-rendered templates need the actor too. Stands right below
    the session middleware; API tokens take the actor later, by `become`.

    Nothing is kept of a request whose view raised (whatever the answer became) or whose
    answer is a 5xx, which tells the client to try again; save what a view had committed
    by `end_unit_of_work`, before it waited for another server.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(WITHOUT_TRANSACTION):
            return self.get_response(request)
        # Sessions are the identity actor's. One that is in the cache costs no flight.
        with unit_of_work(IDENTITY):
            actor = _session_actor(request)
            become(actor)
            # A session may outlive its user's password or account: then nobody acts.
            # The user is kept for `request.user`, so this costs no flight of its own.
            if actor != NOBODY and not get_user(request).is_authenticated:
                become(NOBODY)
            response = self.get_response(request)
            if response.status_code >= SERVER_ERROR:
                roll_back_unit_of_work()
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        # Django turns the exception into a response before this middleware's
        # atomic() could see it: without this, a view that wrote and raised commits.
        roll_back_unit_of_work()


def _session_actor(request: HttpRequest) -> Actor:
    user_id = request.session.get(SESSION_KEY)
    return NOBODY if user_id is None else user_actor(user_id)
