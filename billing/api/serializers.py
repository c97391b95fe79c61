"""What clients read about credits and plans."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.tiers import Tier
from billing.models import CreditTransaction


class CreditsSerializer(serializers.Serializer[Any]):
    """Credits; 1 credit is 1 second of GPU time. Months are calendar months in UTC."""

    balance = serializers.IntegerField(min_value=0)
    held = serializers.IntegerField(
        min_value=0, help_text="Set aside for jobs that have not ended."
    )
    available = serializers.IntegerField(
        min_value=0, help_text="What new jobs may hold: balance less held."
    )
    granted_this_month = serializers.IntegerField()
    used_this_month = serializers.IntegerField()
    last_granted_at = serializers.DateTimeField(allow_null=True)


class TransactionSerializer(serializers.ModelSerializer[CreditTransaction]):
    """One posting. Descriptions and reasons are for staff and stay with them."""

    public_note = serializers.CharField(
        read_only=True, allow_null=True, help_text="What our staff say about it to you."
    )
    job_id = serializers.UUIDField(allow_null=True)
    subscription_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = CreditTransaction
        fields = (
            "id",
            "sequence",
            "type",
            "amount",
            "balance_after",
            "job_id",
            "subscription_id",
            "public_note",
            "created_at",
        )
        read_only_fields = fields


class PlanSerializer(serializers.Serializer[Any]):
    """A tier: its price in cents of `currency`, its credits and its limits."""

    tier = serializers.ChoiceField(choices=Tier.choices)
    currency = serializers.CharField()
    monthly_cents = serializers.IntegerField(
        allow_null=True, help_text="null: agreed by contract."
    )
    yearly_cents = serializers.IntegerField(allow_null=True)
    monthly_credits = serializers.IntegerField(
        source="limits.monthly_credits",
        allow_null=True,
        help_text="null: agreed by contract.",
    )
    priority = serializers.IntegerField(source="limits.priority")
    running = serializers.IntegerField(
        source="limits.running", help_text="Submissions that run at the same time."
    )
    waiting = serializers.IntegerField(
        source="limits.waiting", help_text="Submissions that may wait."
    )
    longest_side = serializers.IntegerField(
        source="limits.longest_side", help_text="Pixels."
    )
    submissions_in_10_minutes = serializers.IntegerField(source="limits.submissions")
    external_api = serializers.BooleanField(source="limits.external_api")
