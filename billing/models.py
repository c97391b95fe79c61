"""Subscriptions, balances and the ledger."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q

from accounts.tiers import PAID_TIERS
from pingvas.core.db.functions import Now
from pingvas.core.db.schema import (
    ForeignKey,
    Index,
    OneToOneField,
    created_at,
    updated_at,
    uuid_key,
    written,
)


class SubscriptionStatus(models.TextChoices):
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class BillingCycle(models.TextChoices):
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Subscription(models.Model):
    """A Lemon Squeezy subscription; at most one active per user."""

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    lemon_squeezy_id = models.CharField(max_length=255)
    tier = models.CharField(max_length=20)
    status = models.CharField(max_length=20, choices=SubscriptionStatus)
    billing_cycle = models.CharField(
        max_length=10, choices=BillingCycle, null=True, blank=True
    )
    current_period_start = models.DateTimeField()
    current_period_end = models.DateTimeField()
    grace_period_end = models.DateTimeField(null=True, blank=True)
    created_at = created_at()
    updated_at = updated_at()
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "subscriptions"
        db_table_comment = "Lemon Squeezy 구독 정보"
        constraints = [
            models.UniqueConstraint(
                fields=["lemon_squeezy_id"], name="subscriptions_lemon_squeezy_id_key"
            ),
            models.CheckConstraint(
                condition=Q(tier__in=[tier.value for tier in PAID_TIERS]),
                name="subscriptions_tier_check",
            ),
            models.CheckConstraint(
                condition=Q(status__in=SubscriptionStatus.values),
                name="subscriptions_status_check",
            ),
            models.CheckConstraint(
                condition=Q(billing_cycle__in=BillingCycle.values),
                name="subscriptions_billing_cycle_check",
            ),
            ExclusionConstraint(
                name="one_active_subscription_per_user",
                expressions=[("user", "=")],
                condition=Q(status="active"),
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_subscriptions_user_id"),
            Index(fields=["status"], name="idx_subscriptions_status"),
            Index(
                fields=["lemon_squeezy_id"], name="idx_subscriptions_lemon_squeezy_id"
            ),
            Index(
                fields=["grace_period_end"],
                name="idx_subscriptions_grace_period",
                # Two Qs: one would sort its conditions by name.
                condition=Q(status="past_due") & Q(grace_period_end__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        start, end = self.current_period_start, self.current_period_end
        return f"{self.tier.capitalize()}, {written(start)} – {written(end)}"


class CreditBalance(models.Model):
    """A user's credits. Changes only together with a ledger row."""

    id = uuid_key()
    user = OneToOneField(settings.AUTH_USER_MODEL, "CASCADE")
    balance = models.IntegerField(
        default=0,
        db_default=0,
        db_comment="현재 크레딧 잔액 (1 credit = 1초 GPU 사용)",
    )
    last_granted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now(), null=True, editable=False)

    class Meta:
        db_table = "credit_balances"
        db_table_comment = "사용자별 크레딧 잔액"
        constraints = [
            models.CheckConstraint(
                condition=Q(balance__gte=0), name="credit_balances_balance_check"
            ),
            models.UniqueConstraint(F("user"), name="idx_credit_balances_user_id"),
        ]

    def __str__(self) -> str:
        return f"{self.balance} credits"


class TransactionType(models.TextChoices):
    SUBSCRIPTION_GRANT = "subscription_grant"
    SUBSCRIPTION_UPGRADE = "subscription_upgrade"
    ADMIN_ADJUSTMENT = "admin_adjustment"
    GENERATION_USAGE = "generation_usage"
    API_USAGE = "api_usage"


class CreditTransaction(models.Model):
    """One posting of the ledger: inserted once, never changed, never deleted.

    `sequence` counts a user's postings from 1 without gaps; `idempotency_key` names
    the business event, so that an event told twice is posted once.
    """

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    amount = models.IntegerField()
    type = models.CharField(max_length=50, choices=TransactionType)
    job = ForeignKey("generation.GenerationJob", "SET NULL", null=True, blank=True)
    subscription = ForeignKey(Subscription, "SET NULL", null=True, blank=True)
    description = models.TextField(null=True, blank=True)
    balance_after = models.IntegerField(db_comment="트랜잭션 후 잔액 스냅샷 (감사용)")
    idempotency_key = models.CharField(max_length=200)
    sequence = models.BigIntegerField()
    created_at = created_at()
    # Computed by the table's trigger, whatever is sent: see LEDGER.md.
    row_hash = models.BinaryField(
        db_comment="이전 거래의 해시를 이어받은 SHA-256 (변조 감지용)"
    )

    class Meta:
        db_table = "credit_transactions"
        db_table_comment = "크레딧 거래 내역 (불변 로그)"
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=TransactionType.values),
                name="credit_transactions_type_check",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0),
                name="credit_transactions_balance_after_check",
            ),
            models.CheckConstraint(
                condition=Q(sequence__gte=1), name="credit_transactions_sequence_check"
            ),
            models.UniqueConstraint(
                fields=["idempotency_key"],
                name="credit_transactions_idempotency_key_key",
            ),
            models.UniqueConstraint(
                fields=["user", "sequence"],
                name="credit_transactions_user_id_sequence_key",
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_credit_transactions_user_id"),
            Index(fields=["-created_at"], name="idx_credit_transactions_created_at"),
            Index(fields=["type"], name="idx_credit_transactions_type"),
            Index(
                fields=["job"],
                name="idx_credit_transactions_job_id",
                condition=Q(job__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:+d}, {written(self.created_at)}"


class AdjustmentNote(models.Model):
    """Staff's words about one adjustment. Erasable, as the ledger is not.

    `public_note` is for the user; `internal_reason` and whose it is are for staff.
    """

    transaction = OneToOneField(
        CreditTransaction, "CASCADE", primary_key=True, related_name="note"
    )
    public_note = models.TextField(null=True, blank=True)
    internal_reason = models.TextField()
    # No foreign key: whose id it was can still be said when the account is gone.
    staff_id = models.UUIDField(null=True, blank=True)
    created_at = created_at()

    class Meta:
        db_table = "adjustment_notes"
        db_table_comment = "크레딧 조정 메모 (공개 메모와 내부 사유)"

    def __str__(self) -> str:
        return self.internal_reason


class LedgerRoot(models.Model):
    """A signed root of the ledger that lies in the object store: see LEDGER.md."""

    key = models.CharField(max_length=200, primary_key=True)
    digest = models.BinaryField(db_comment="서명된 진술의 SHA-256")
    created_at = created_at()

    class Meta:
        db_table = "ledger_roots"
        db_table_comment = "서명된 원장 루트 (추가만 가능)"

    def __str__(self) -> str:
        return self.key


class HoldKind(models.TextChoices):
    """What a hold is for; also the type of the posting that settles it."""

    GENERATION_USAGE = "generation_usage"
    API_USAGE = "api_usage"


class HoldStatus(models.TextChoices):
    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


class CreditHold(models.Model):
    """Credits set aside for one job. Not a posting: a hold never changes the balance.

    Held until the job ends, then settled (`settled_amount` was charged) or released
    (nothing was); from then on the row is never changed.
    """

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    job = OneToOneField("generation.GenerationJob", "CASCADE")
    kind = models.CharField(max_length=20, choices=HoldKind)
    amount = models.IntegerField(db_comment="예약한 크레딧 (견적, 청구 상한)")
    status = models.CharField(
        max_length=20,
        choices=HoldStatus,
        default=HoldStatus.HELD,
        db_default=HoldStatus.HELD.value,
    )
    settled_amount = models.IntegerField(
        null=True, blank=True, db_comment="실제 청구한 크레딧"
    )
    created_at = created_at()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "credit_holds"
        db_table_comment = "작업별 크레딧 예약"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=HoldKind.values), name="credit_holds_kind_check"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="credit_holds_amount_check"
            ),
            # Every branch names NULL itself: a CHECK that is unknown would pass.
            models.CheckConstraint(
                condition=Q(
                    status="held", settled_amount__isnull=True, resolved_at__isnull=True
                )
                | Q(
                    status="settled",
                    settled_amount__isnull=False,
                    settled_amount__gte=1,
                    settled_amount__lte=F("amount"),
                    resolved_at__isnull=False,
                )
                | Q(
                    status="released",
                    settled_amount__isnull=True,
                    resolved_at__isnull=False,
                ),
                name="credit_holds_status_check",
            ),
        ]
        indexes = [
            Index(
                fields=["user"],
                name="idx_credit_holds_held_user_id",
                condition=Q(status="held"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount}, {written(self.created_at)}"
