"""Tells a user's open screens and programs that the credits moved."""

from __future__ import annotations

from uuid import UUID

from pingvas.core.events import Event, publish_on_commit


def announce_balance(user_id: UUID, *, balance: int, held: int) -> None:
    """Publish `credits.changed` on commit, with what the change leaves."""
    data = {"balance": balance, "held": held, "available": balance - held}
    publish_on_commit(Event(user_id, "credits.changed", data))
