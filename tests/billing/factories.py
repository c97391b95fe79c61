"""Rows that billing's tests begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.models import User
from billing.models import CreditTransaction, TransactionType
from billing.services.ledger import lock_balance, post
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now


def make_owner(name: str, **extra: Any) -> User:
    """A user who never signs in: hashing a password would take most of a test."""
    with acting_as(SERVICE):
        return User.objects.create_user(f"{name}@example.com", None, **extra)


def make_job(user_id: UUID, status: str = "queued", **over: Any) -> GenerationJob:
    running = {"lease_expires_at": Now()} if status == "in_progress" else {}
    with acting_as(SERVICE):
        return GenerationJob.objects.create(
            user_id=user_id,
            status=status,
            **{
                "tier": "free",
                "prompt": "a lighthouse",
                "model": "starter",
                "width": 64,
                "height": 64,
                **running,
                **over,
            },
        )


def grant(user_id: UUID, amount: int, key: str) -> CreditTransaction:
    with acting_as(SERVICE):
        return post(
            lock_balance(user_id),
            type=TransactionType.SUBSCRIPTION_GRANT,
            amount=amount,
            idempotency_key=key,
        )
