"""The daily statistics."""

from __future__ import annotations

from django.db import connection

from pingvas.core.db.actor import SERVICE, acting_as


def refresh_user_stats() -> None:
    """Recompute `user_stats` while people go on reading it."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY user_stats")
