"""Tells a user's open screens that the balance moved."""

from __future__ import annotations

from uuid import UUID


def announce_balance(user_id: UUID, *, balance: int, held: int) -> None:
    """Called at the end of every change, with what the change leaves."""
