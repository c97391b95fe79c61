"""The page about one's credits."""

from __future__ import annotations

from typing import Any, cast

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing.models import TransactionType
from billing.selectors import transactions_for
from billing.services.grants import read_balance
from pingvas.core.pages import GrowingPage

ROWS = 30
KINDS = {
    TransactionType.SUBSCRIPTION_GRANT: _("Monthly credits"),
    TransactionType.SUBSCRIPTION_UPGRADE: _("Upgrade of the plan"),
    TransactionType.ADMIN_ADJUSTMENT: _("Adjusted by our staff"),
    TransactionType.GENERATION_USAGE: _("Picture"),
    TransactionType.API_USAGE: _("Picture, by the API"),
}


class CreditsPage(GrowingPage):
    template_name = "billing/credits.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        # First: it grants the free month that is due, which the history then shows.
        summary = read_balance(user_id=user.id)
        rows = list(self._history(user)[: ROWS + 1])
        return super().get_context_data(
            summary=summary,
            rows=[(row, KINDS[TransactionType(row.type)]) for row in rows[:ROWS]],
            older=rows[ROWS - 1].sequence if len(rows) > ROWS else None,
            **kwargs,
        )

    def _history(self, user: User) -> Any:
        history = transactions_for(user.id)
        before = self.request.GET.get("before", "")
        # An address that was tampered with shows the first page.
        if before.isascii() and before.isdigit() and len(before) < 10:
            history = history.filter(sequence__lt=int(before))
        return history
