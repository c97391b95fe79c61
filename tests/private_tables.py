"""A guard for tests: a private table that is asked without an actor is a mistake.

In production such a query answers no rows, silently and safely; in a test it would make
an assertion pass for the wrong reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pingvas.core.db.actor import NOBODY, current_actor

PRIVATE = {
    "users",
    "subscriptions",
    "credit_balances",
    "credit_transactions",
    "adjustment_notes",
    "generation_jobs",
    "images",
    "boards",
    "board_images",
    "ai_models",
    "workflows",
    "credit_holds",
    "idempotency_keys",
    "queue_shares",
    "submissions",
    "job_inputs",
    "picture_storage",
    "picture_storage_deltas",
    "token_families",
}
_PRIVATE = re.compile(rf'"({"|".join(sorted(PRIVATE))})"')


class PrivateTableWithoutActor(AssertionError):
    """Use `acting_as(...)` around this query."""


def _guard(execute: Callable[..., Any], query: str, *rest: Any) -> Any:
    found = _PRIVATE.search(query)
    if found and current_actor() == NOBODY:
        raise PrivateTableWithoutActor(found[1])
    return execute(query, *rest)


def refuse_private_tables_without_actor(connection: Any, **kwargs: Any) -> None:
    """Receiver of connection_created."""
    if connection.alias == "default" and _guard not in connection.execute_wrappers:
        connection.execute_wrappers.append(_guard)
