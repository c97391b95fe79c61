"""`Idempotency-Key`: a request that is sent twice takes effect once.

Decorate the handler of an APIView whose caller is signed in:

    class Jobs(APIView):
        @idempotent
        def post(self, request: Request) -> Response:
            ...
            return Response(data, status=201)

Without the header the handler runs as ever. With it, the first request runs the handler
and keeps its status and body in the request's own transaction; the same request again
(method, path and body) within 24 hours is answered from there, with the header
`Idempotent-Replayed: true`, and another request under that key raises KeyReused. A
duplicate that comes while the first still runs waits for it on the primary key. A
request that failed has written nothing, so its key is free again. Keys are each user's
own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection
from django.http.request import RawPostDataException
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.errors import InvalidRequest, NotSignedIn, PingvasError
from pingvas.core.models import IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
HEADER = "Idempotency-Key"

Handler = Callable[..., Response]

# Waits for a transaction that is writing the same key. No row comes back where a live
# answer is there already; one that is too old is taken over.
_CLAIM = """
INSERT INTO idempotency_keys AS kept (user_id, key, fingerprint, status, body)
VALUES (%(user)s, %(key)s, %(fingerprint)s, 0, 'null')
ON CONFLICT (user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = 0, created_at = now()
WHERE kept.created_at < now() - make_interval(secs => %(seconds)s)
RETURNING 1
"""


class KeyReused(PingvasError):
    code = "idempotency_key_reused"
    status = 409
    message = _("This idempotency key belongs to another request.")


def idempotent(handler: Handler) -> Handler:
    """Let a view's handler take effect once for each `Idempotency-Key` of a user."""

    @wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = _key(request)
        if key is None:
            return handler(view, request, *args, **kwargs)
        user_id = request.user.pk
        if user_id is None:
            raise NotSignedIn
        fingerprint = _fingerprint(request)
        if not claim_key(user_id, key, fingerprint):
            return _replay(user_id, key, fingerprint)
        response = handler(view, request, *args, **kwargs)
        _keep(user_id, key, response)
        return response

    return once


def purge_idempotency_keys() -> int:
    """Delete the keys that nobody may count on any more; returns how many."""
    with acting_as(SERVICE):
        old = IdempotencyKey.objects.filter(created_at__lt=Now() - KEPT)
        return old.delete()[0]


def claim_key(user_id: UUID, key: str, fingerprint: str) -> bool:
    """Whether this request is the one to run; waits for another that is running."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "user": user_id,
                "key": key,
                "fingerprint": fingerprint,
                "seconds": KEPT.total_seconds(),
            },
        )
        return cursor.fetchone() is not None


def _replay(user_id: UUID, key: str, fingerprint: str) -> Response:
    kept = IdempotencyKey.objects.get(user_id=user_id, key=key)
    if kept.fingerprint != fingerprint:
        raise KeyReused
    return Response(
        kept.body, status=kept.status, headers={"Idempotent-Replayed": "true"}
    )


def _keep(user_id: UUID, key: str, response: Response) -> None:
    # As the renderer spells it: dates and ids are strings, as in the first answer.
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    IdempotencyKey.objects.filter(user_id=user_id, key=key).update(
        status=response.status_code, body=body
    )


def _key(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        words = _("1 to 255 printable ASCII characters.")
        raise InvalidRequest(fields={HEADER: [str(words)]})
    return key


def _fingerprint(request: Request) -> str:
    """SHA-256 over method, path and body."""
    try:
        # Before the view parses it: a stream can be read once, a kept body again.
        body: bytes = request._request.body
    except RawPostDataException:
        # A form that the CSRF check has consumed already; only JSON is taken.
        raise UnsupportedMediaType(request.content_type) from None
    start = f"{request.method} {request.get_full_path()}\n".encode()
    return sha256(start + body).hexdigest()
