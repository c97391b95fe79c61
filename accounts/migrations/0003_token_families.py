"""Tokens for programs: their families, and the version that ends them all."""

import uuid

from django.conf import settings
from django.db import migrations, models

import pingvas.core.db.functions
import pingvas.core.db.schema
from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_row_security"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="token_version",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.CreateModel(
            name="TokenFamily",
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
                ("refresh_jti", models.CharField(max_length=32)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=pingvas.core.db.functions.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    pingvas.core.db.schema.ForeignKey(
                        db_on_delete="CASCADE",
                        related_name="token_families",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "token_families",
                "indexes": [
                    pingvas.core.db.schema.Index(
                        fields=["expires_at"], name="idx_token_families_expires_at"
                    ),
                    pingvas.core.db.schema.Index(
                        fields=["user"], name="idx_token_families_user_id"
                    ),
                ],
            },
        ),
        sql_pair(__file__, "token_families"),
    ]
