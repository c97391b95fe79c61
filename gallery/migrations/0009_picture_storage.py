"""Bytes that each user's pictures take: deltas by triggers, whoever writes."""

from django.conf import settings
from django.db import migrations, models

from pingvas.core.db.locks import REFERRED, LockTables
from pingvas.core.db.own_rows import OwnRows
from pingvas.core.db.schema import Index, OneToOneField
from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_identity_rights"),
        ("gallery", "0008_shown_and_uploaded"),
    ]

    operations = [
        LockTables(images=REFERRED, users=REFERRED),
        migrations.CreateModel(
            name="PictureStorage",
            fields=[
                (
                    "user",
                    OneToOneField(
                        db_on_delete="CASCADE",
                        primary_key=True,
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("bytes", models.BigIntegerField()),
            ],
            options={"db_table": "picture_storage"},
        ),
        migrations.CreateModel(
            name="PictureStorageDelta",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.UUIDField()),
                ("bytes", models.BigIntegerField()),
            ],
            options={
                "db_table": "picture_storage_deltas",
                "indexes": [
                    Index(fields=["user_id"], name="idx_picture_storage_deltas_user")
                ],
            },
        ),
        OwnRows("picture_storage"),
        OwnRows("picture_storage_deltas"),
        sql_pair(__file__, "picture_storage"),
    ]
