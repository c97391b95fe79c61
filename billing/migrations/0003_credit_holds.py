"""Holds: credits set aside for a job, with their row-level security."""

import uuid

from django.conf import settings
from django.db import migrations, models

import pingvas.core.db.functions
import pingvas.core.db.schema
from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_ledger_and_row_security"),
        ("generation", "0003_row_security_and_stats"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditHold",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_default=pingvas.core.db.functions.GenRandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("generation_usage", "Generation Usage"),
                            ("api_usage", "Api Usage"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "amount",
                    models.IntegerField(db_comment="예약한 크레딧 (견적, 청구 상한)"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "Held"),
                            ("settled", "Settled"),
                            ("released", "Released"),
                        ],
                        db_default="held",
                        default="held",
                        max_length=20,
                    ),
                ),
                (
                    "settled_amount",
                    models.IntegerField(
                        blank=True, db_comment="실제 청구한 크레딧", null=True
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=pingvas.core.db.functions.Now(), editable=False
                    ),
                ),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "job",
                    pingvas.core.db.schema.OneToOneField(
                        db_on_delete="CASCADE", to="generation.generationjob"
                    ),
                ),
                (
                    "user",
                    pingvas.core.db.schema.ForeignKey(
                        db_on_delete="CASCADE", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "db_table": "credit_holds",
                "db_table_comment": "작업별 크레딧 예약",
                "indexes": [
                    pingvas.core.db.schema.Index(
                        condition=models.Q(("status", "held")),
                        fields=["user"],
                        name="idx_credit_holds_held_user_id",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["generation_usage", "api_usage"])
                        ),
                        name="credit_holds_kind_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)),
                        name="credit_holds_amount_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("resolved_at__isnull", True),
                                ("settled_amount__isnull", True),
                                ("status", "held"),
                            ),
                            models.Q(
                                ("resolved_at__isnull", False),
                                ("settled_amount__gte", 1),
                                ("settled_amount__isnull", False),
                                ("settled_amount__lte", models.F("amount")),
                                ("status", "settled"),
                            ),
                            models.Q(
                                ("resolved_at__isnull", False),
                                ("settled_amount__isnull", True),
                                ("status", "released"),
                            ),
                            _connector="OR",
                        ),
                        name="credit_holds_status_check",
                    ),
                ],
            },
        ),
        sql_pair(__file__, "credit_holds"),
    ]
