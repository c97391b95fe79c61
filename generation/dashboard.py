"""The first page of the staff console; unfold calls `show_dashboard` by its name."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from billing.overview import CreditOverview, recent_credits
from billing.services.audit_record import get_last_audit
from generation.overview import (
    live_workers,
    queue_by_tier,
    recent_failures,
    running_jobs,
)

FAILURES_WITHIN = timedelta(hours=24)
CREDIT_DAYS = 30


def show_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what this member of staff may see; the rest is left out."""
    user: Any = request.user
    if user.has_perm("generation.view_generationjob"):
        context["queue"] = _queue()
    if user.has_perm("billing.view_credittransaction"):
        context["credits"] = _credits(recent_credits(CREDIT_DAYS))
    return context


def _queue() -> dict[str, Any]:
    tiers = queue_by_tier()
    return {
        "tiers": tiers,
        "waiting": sum(tier.waiting for tier in tiers),
        "running": running_jobs(),
        "workers": list(live_workers()),
        "failures": recent_failures(FAILURES_WITHIN),
    }


def _credits(overview: CreditOverview) -> dict[str, Any]:
    days = overview.days
    labels = [f"{day.day:%m-%d}" for day in days]
    granted = [day.granted for day in days]
    used = [day.used for day in days]
    return {
        "at": overview.at,
        "days": [day for day in reversed(days) if day.granted or day.used],
        "granted": sum(granted),
        "used": sum(used),
        "granted_chart": _chart(labels, gettext("Granted"), granted, "granted"),
        "chart_options": CHART_OPTIONS,
        "used_chart": _chart(labels, gettext("Used"), used, "used"),
        "audit": get_last_audit(),
    }


# Read on white as on the dark; whole credits, and days that stand upright.
_INK = "#767f8d"
CHART_OPTIONS = json.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "maxBarThickness": 12,
        "borderRadius": 3,
        "plugins": {"legend": {"display": False}},
        "scales": {
            "x": {
                "grid": {"display": False},
                "ticks": {"color": _INK, "maxRotation": 0},
            },
            "y": {
                "beginAtZero": True,
                "border": {"display": False},
                "ticks": {"color": _INK, "precision": 0, "maxTicksLimit": 6},
            },
        },
    }
)


def _chart(labels: list[str], title: str, values: list[int], colour: str) -> str:
    """Chart.js's data as JSON; `colour` is one of the console's style sheet."""
    bars = {
        "label": title,
        "data": values,
        "backgroundColor": f"var(--staff-{colour})",
    }
    return json.dumps({"labels": labels, "datasets": [bars]})
