"""The page about one's credits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from accounts.models import User
from billing.history import grouped, history_rows
from billing.services.grants import read_balance
from pingvas.core.pages import GrowingPage

ROWS = 30
FIGURES = ("available", "balance", "held", "granted_this_month", "used_this_month")


class CreditsPage(GrowingPage):
    template_name = "billing/credits.html"
    script = "billing/credits.js"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        # First: it grants the free month that is due, which the history then shows.
        summary = asdict(read_balance(user_id=user.id))
        rows, older = history_rows(user.id, before=self._before(), count=ROWS)
        return super().get_context_data(
            figures={name: grouped(summary[name]) for name in FIGURES},
            rows=rows,
            older=older,
            **kwargs,
        )

    def _before(self) -> int | None:
        """Where the page begins; an address that was tampered with shows the first."""
        before = self.request.GET.get("before", "")
        is_number = before.isascii() and before.isdigit() and len(before) < 10
        return int(before) if is_number else None
