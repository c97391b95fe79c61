"""What each tier costs and grants. The limits of a tier are accounts.tiers'.

`settings.PLAN_OVERRIDES` replaces single prices: `{"pro": {"monthly_cents": 2_500}}`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from accounts.tiers import Tier, TierLimits, limits_for

CURRENCY = "USD"
# A balance grows by grants up to this many months' credits, so unused credits roll
# over once and are not hoarded for years.
CAP_MONTHS = 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Prices in US cents; None is agreed by contract, as the credits may be."""

    tier: Tier
    monthly_cents: int | None
    yearly_cents: int | None

    currency: str = CURRENCY

    @property
    def limits(self) -> TierLimits:
        return limits_for(self.tier)


_TABLE = (
    Plan(tier=Tier.FREE, monthly_cents=0, yearly_cents=0),
    Plan(tier=Tier.STARTER, monthly_cents=900, yearly_cents=9_000),
    Plan(tier=Tier.PRO, monthly_cents=2_900, yearly_cents=29_000),
    Plan(tier=Tier.STUDIO, monthly_cents=8_900, yearly_cents=89_000),
    Plan(tier=Tier.ENTERPRISE, monthly_cents=None, yearly_cents=None),
)


def plans() -> list[Plan]:
    """Every plan, cheapest first."""
    overrides: dict[str, dict[str, Any]] = getattr(settings, "PLAN_OVERRIDES", {})
    return [replace(plan, **overrides.get(plan.tier.value, {})) for plan in _TABLE]


def grant_amount(*, quota: int, balance: int) -> int:
    """Credits that a grant of `quota` adds to `balance`: never negative, and capped."""
    return max(0, min(quota, CAP_MONTHS * quota - balance))
