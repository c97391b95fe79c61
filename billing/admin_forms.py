"""Staff's one way to change credits."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from pingvas.core.staff_admin import DialogForm

LARGEST_ADJUSTMENT = 1_000_000


class AdjustCreditsForm(DialogForm):
    amount = forms.IntegerField(
        label=_("Credits"),
        help_text=_("Negative to take credits back."),
        min_value=-LARGEST_ADJUSTMENT,
        max_value=LARGEST_ADJUSTMENT,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Stays in the ledger for good. No personal details."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
