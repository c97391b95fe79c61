"""Staff's words about adjustments in a table of their own, out of the ledger."""

from django.db import migrations, models

import pingvas.core.db.functions
import pingvas.core.db.schema
from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_ledger_hash_chain")]

    operations = [
        migrations.CreateModel(
            name="AdjustmentNote",
            fields=[
                (
                    "transaction",
                    pingvas.core.db.schema.OneToOneField(
                        db_on_delete="CASCADE",
                        primary_key=True,
                        related_name="note",
                        serialize=False,
                        to="billing.credittransaction",
                    ),
                ),
                ("public_note", models.TextField(blank=True, null=True)),
                ("internal_reason", models.TextField()),
                ("staff_id", models.UUIDField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=pingvas.core.db.functions.Now(), editable=False
                    ),
                ),
            ],
            options={
                "db_table": "adjustment_notes",
                "db_table_comment": "크레딧 조정 메모 (공개 메모와 내부 사유)",
            },
        ),
        sql_pair(__file__, "adjustment_notes"),
    ]
