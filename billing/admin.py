"""Credits in the staff console: the ledger is read here, and adjusted by one form."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import AccountAdmin
from accounts.models import User
from billing.adjustment_notes import reading_of, with_readings
from billing.admin_forms import AdjustCreditsForm
from billing.models import (
    CreditHold,
    CreditTransaction,
    HoldStatus,
    Subscription,
    SubscriptionStatus,
)
from billing.selectors import transactions_for
from billing.services.grants import adjust_credits, read_balance
from pingvas.core.staff_admin import (
    ChoicesFilter,
    ReadOnlyAdmin,
    choice,
    dialog_action,
    labelled,
    moment,
    row_or_404,
    run_dialog,
    tier_name,
)
from pingvas.core.staff_words import in_words

RECENT_POSTINGS = 10
ADJUST_CREDITS: dict[str, Any] = {
    "title": _("Adjust credits"),
    "description": _(
        "The ledger keeps the amount for good. The user sees it and the note to them "
        "at once; reason and your account are for staff."
    ),
    "form_class": AdjustCreditsForm,
    "form_submit_text": _("Adjust"),
}


admin.site.unregister(User)


@admin.register(User)
class CreditedAccountAdmin(AccountAdmin):
    """The account's page with its credits: accounts know nothing of billing."""

    actions_detail = ("adjust",)
    readonly_fields = (*AccountAdmin.readonly_fields, "credits")
    fieldsets = (
        *AccountAdmin.fieldsets[:1],
        (_("Credits"), {"fields": ("credits",)}),
        *AccountAdmin.fieldsets[1:],
    )

    @admin.display(description=_("Credits"))
    def credits(self, user: User) -> str:
        context = {
            "user_id": user.pk,
            "balance": read_balance(user_id=user.pk),
            "postings": with_readings(transactions_for(user.pk)[:RECENT_POSTINGS]),
        }
        return render_to_string("staff/user_credits.html", context)

    def has_adjust_credits_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        user: Any = request.user
        return bool(user.has_perm("billing.add_credittransaction"))

    @dialog_action(
        description=_("Adjust credits"),
        url_path="adjust-credits",
        permissions=["adjust_credits"],
        dialog=ADJUST_CREDITS,
    )
    def adjust(
        self, request: HttpRequest, form: AdjustCreditsForm, object_id: str
    ) -> HttpResponse:
        user = row_or_404(User.objects.all(), object_id)
        page = reverse("admin:accounts_user_change", args=[user.pk])

        def work() -> str:
            posting = adjust_credits(
                user_id=user.pk,
                amount=form.cleaned_data["amount"],
                reason=form.cleaned_data["reason"],
                public_note=form.cleaned_data["public_note"],
                staff_id=UUID(str(request.user.pk)),
                idempotency_key=str(form.cleaned_data["key"]),
            )
            self.log_change(request, user, f"credits {posting.amount:+d}")
            return gettext("%(amount)+d credits. The balance is %(balance)d.") % {
                "amount": posting.amount,
                "balance": posting.balance_after,
            }

        return run_dialog(request, form, dialog=ADJUST_CREDITS, done=page, work=work)


@admin.register(CreditTransaction)
class CreditTransactionAdmin(ReadOnlyAdmin[CreditTransaction]):
    list_display = (
        "when",
        "user",
        "signed_amount",
        "kind",
        "balance_after",
        "adjusted_by",
        "words",
    )
    list_filter = (("type", ChoicesFilter), "created_at")
    list_select_related = ("user",)
    # Two postings of one transaction have one time.
    ordering = ("-created_at", "-sequence")
    search_ids = ("id", "user_id", "job_id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("created_at", "user", "signed_amount", "kind", "balance_after"),
                    *("adjusted_by", "words", "public_note", "job", "subscription"),
                )
            },
        ),
        (
            # As it is written, for those who compare it with the table.
            _("Record"),
            {
                "classes": ["tab"],
                "fields": ("id", "sequence", "description", "idempotency_key"),
            },
        ),
    )
    readonly_fields = ("signed_amount", "kind", "adjusted_by", "words", "public_note")
    kind = choice("type", _("Type"))
    when = moment("created_at")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        page = super().get_changelist_instance(request)
        page.result_list = with_readings(page.result_list)
        return page

    @admin.display(description=_("Amount"))
    def signed_amount(self, posting: CreditTransaction) -> str:
        return f"{posting.amount:+d}"

    @admin.display(description=_("Adjusted by"))
    def adjusted_by(self, posting: CreditTransaction) -> str | None:
        return reading_of(posting).by

    @admin.display(description=_("Description"))
    def words(self, posting: CreditTransaction) -> str:
        return reading_of(posting).words

    @admin.display(description=_("Note to the user"))
    def public_note(self, posting: CreditTransaction) -> str:
        return reading_of(posting).public_note


@admin.register(CreditHold)
class CreditHoldAdmin(ReadOnlyAdmin[CreditHold]):
    COLOURS: ClassVar = {HoldStatus.HELD: "info", HoldStatus.SETTLED: "success"}

    list_display = (
        "when",
        "user",
        "job",
        "amount",
        "state",
        "settled_amount",
        "ended",
    )
    ended = moment("resolved_at", _("Resolved (UTC)"))
    list_filter = (("status", ChoicesFilter), ("kind", ChoicesFilter))
    list_select_related = ("user", "job")
    fields = (
        "created_at",
        "user",
        "job",
        "purpose",
        "amount",
        "said_state",
        "settled_amount",
        "resolved_at",
    )
    readonly_fields = ("purpose", "said_state")
    purpose = choice("kind", _("Type"))
    when = moment("created_at")
    said_state = choice("status", _("Status"))
    # Every hold has its job, and jobs have an index by age.
    ordering = ("-job__created_at",)
    # And an index by user, which holds have only while they are live.
    search_email = "job__user__email"

    def matches(self, term: str) -> Q:
        try:
            number = UUID(term)
        except ValueError:
            return super().matches(term)
        # By the jobs alone: an OR over both tables would read both whole.
        jobs: Any = CreditHold._meta.get_field("job").related_model
        found = jobs.objects.filter(Q(id=number) | Q(user_id=number))
        return Q(job__in=found)

    @labelled(_("Status"), COLOURS)
    def state(self, hold: CreditHold) -> tuple[str, str]:
        return hold.status, in_words(hold, "status")


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin[Subscription]):
    COLOURS: ClassVar = {
        SubscriptionStatus.ACTIVE: "success",
        SubscriptionStatus.PAST_DUE: "danger",
        SubscriptionStatus.CANCELLED: "warning",
    }

    list_display = (
        "user",
        "plan",
        "state",
        "cycle",
        "until",
        "grace",
    )
    until = moment("current_period_end", _("Period ends (UTC)"))
    grace = moment("grace_period_end", _("Grace ends (UTC)"))
    list_filter = (("status", ChoicesFilter), ("billing_cycle", ChoicesFilter))
    list_select_related = ("user",)
    ordering = ("-created_at",)
    fields = (
        "user",
        "plan",
        "said_state",
        "cycle",
        "current_period_start",
        "current_period_end",
        "grace_period_end",
        "cancelled_at",
        "lemon_squeezy_id",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("plan", "said_state", "cycle")
    said_state = choice("status", _("Status"))
    cycle = choice("billing_cycle", _("Billing cycle"))

    @admin.display(description=_("tier"))
    def plan(self, subscription: Subscription) -> str:
        return tier_name(subscription)

    @labelled(_("Status"), COLOURS)
    def state(self, subscription: Subscription) -> tuple[str, str]:
        return subscription.status, in_words(subscription, "status")
