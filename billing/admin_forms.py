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
    public_note = forms.CharField(
        label=_("Note to the user"),
        help_text=_("The user reads it beside the posting. May be left empty."),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    reason = forms.CharField(
        label=_("Internal reason"),
        help_text=_("For staff alone; the user never sees it."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
