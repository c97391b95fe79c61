"""`/healthz` (the process gets on) and `/readyz` (it can do its work)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, JsonResponse

from pingvas.core.redis import redis_client
from pingvas.core.serving.asgi_types import Application, Receive, Scope, Send
from pingvas.core.serving.refusals import answer_json
from pingvas.core.threads import Occupancy

log = logging.getLogger(__name__)

# A probe that answers late counts as one that did not answer.
PATIENCE_SECONDS = 2


def healthz_of(occupancy: Occupancy) -> Application:
    """A handler on the event loop: 503 when requests wait and no thread gets on.

    Busy threads do not keep it from answering, so that a process which only has much
    to do is not taken for a dead one.
    """

    async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
        if occupancy.is_stuck:
            await answer_json(send, 503, {"status": "stuck"})
        else:
            await answer_json(send, 200, {"status": "ok"})

    return healthz


def readyz(request: HttpRequest) -> JsonResponse:
    """503 when PostgreSQL is away; Redis or storage away is `degraded`, still 200."""
    parts = {
        "database": _answers(_ask_database),
        "redis": _answers(lambda: redis_client().ping()),
        "storage": _answers(lambda: default_storage.exists(".ready")),
    }
    away = [name for name, fine in parts.items() if not fine]
    status = "unavailable" if "database" in away else "degraded" if away else "ok"
    return JsonResponse(
        {"status": status, "away": away}, status=503 if "database" in away else 200
    )


def _ask_database() -> None:
    # Past Django's cursor: it would wait as long as a request does for a connection.
    pool: Any = getattr(connection, "pool")  # noqa: B009  # the stubs lack it
    pool.open()
    with pool.connection(timeout=PATIENCE_SECONDS) as database:
        database.execute("SELECT 1")


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception:  # every driver has its own; all mean "away"
        log.warning("a dependency is away", exc_info=True)
        return False
    return True
