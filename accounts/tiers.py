"""The five subscription tiers and what each allows.

One table for every limit that is not a price. `settings.TIER_OVERRIDES` replaces single
values: `{"free": {"running": 2}}`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.db import models


class Tier(models.TextChoices):
    FREE = "free"
    STARTER = "starter"
    PRO = "pro"
    STUDIO = "studio"
    ENTERPRISE = "enterprise"


GIGABYTE = 10**9
PAID_TIERS = [tier for tier in Tier if tier != Tier.FREE]


@dataclass(frozen=True, kw_only=True)
class TierLimits:
    """What a tier allows.

    priority: weight in the fair queue, and the column `generation_jobs.priority`.
    monthly_credits: GPU seconds granted a month; None is agreed by contract.
    running, waiting: submissions at a time (a batch is one submission), in all lanes.
    longest_side: pixels.
    submissions: per ten minutes.
    external_running: of those that run, the ones with external providers.
    external_api: whether external image models may be used.
    picture_bytes: that stored pictures may take; None is agreed by contract.
    """

    priority: int
    monthly_credits: int | None
    running: int
    waiting: int
    longest_side: int
    submissions: int
    external_running: int
    external_api: bool
    picture_bytes: int | None


_TABLE = {
    Tier.FREE: TierLimits(
        priority=10, monthly_credits=300, running=1, waiting=2,
        longest_side=1024, submissions=10, external_running=0, external_api=False,
        picture_bytes=2 * GIGABYTE,
    ),
    Tier.STARTER: TierLimits(
        priority=25, monthly_credits=3_000, running=2, waiting=10,
        longest_side=1536, submissions=30, external_running=2, external_api=True,
        picture_bytes=20 * GIGABYTE,
    ),
    Tier.PRO: TierLimits(
        priority=50, monthly_credits=12_000, running=4, waiting=30,
        longest_side=2048, submissions=60, external_running=4, external_api=True,
        picture_bytes=100 * GIGABYTE,
    ),
    Tier.STUDIO: TierLimits(
        priority=75, monthly_credits=40_000, running=8, waiting=100,
        longest_side=2048, submissions=120, external_running=8, external_api=True,
        picture_bytes=400 * GIGABYTE,
    ),
    Tier.ENTERPRISE: TierLimits(
        priority=100, monthly_credits=None, running=16, waiting=500,
        longest_side=2048, submissions=600, external_running=16, external_api=True,
        picture_bytes=None,
    ),
}  # fmt: skip


def limits_for(tier: str) -> TierLimits:
    """The limits of `tier`; ValueError for a name that is none."""
    known = Tier(tier)
    return replace(_TABLE[known], **settings.TIER_OVERRIDES.get(known.value, {}))


def tier_covers(tier: str, min_tier: str | None) -> bool:
    """Whether `tier` is at least `min_tier`; None is open to everybody."""
    order = list(Tier)
    return min_tier is None or order.index(Tier(tier)) >= order.index(Tier(min_tier))
