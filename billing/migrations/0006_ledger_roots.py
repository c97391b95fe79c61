"""Which signed roots of the ledger lie in the object store."""

from django.db import migrations, models

import pingvas.core.db.functions


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_adjustment_notes")]

    operations = [
        migrations.CreateModel(
            name="LedgerRoot",
            fields=[
                (
                    "key",
                    models.CharField(max_length=200, primary_key=True, serialize=False),
                ),
                ("digest", models.BinaryField(db_comment="서명된 진술의 SHA-256")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=pingvas.core.db.functions.Now(), editable=False
                    ),
                ),
            ],
            options={
                "db_table": "ledger_roots",
                "db_table_comment": "서명된 원장 루트 (추가만 가능)",
            },
        ),
    ]
