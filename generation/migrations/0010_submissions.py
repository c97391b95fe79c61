"""What was asked for at once is a row of its own, which limits and lists count."""

import uuid

from django.conf import settings
from django.db import migrations, models

from pingvas.core.db.functions import GenRandomUUID, Now
from pingvas.core.db.locks import CHANGED, REFERRED, LockTables
from pingvas.core.db.own_rows import OwnRows
from pingvas.core.db.schema import ForeignKey, Index
from pingvas.core.db.sql import sql_pair

KINDS = ["batch", "variants", "grid", "run", "trial", "control"]


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0009_house_writes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LockTables(generation_jobs=CHANGED, users=REFERRED),
        migrations.CreateModel(
            name="Submission",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_default=GenRandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[(kind, kind.title()) for kind in KINDS],
                        db_default="batch",
                        default="batch",
                        max_length=20,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=Now(), editable=False),
                ),
                (
                    "user",
                    ForeignKey(db_on_delete="CASCADE", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "db_table": "submissions",
                "db_table_comment": "한 번에 요청한 작업 묶음",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(kind__in=KINDS),
                        name="submissions_kind_check",
                    ),
                ],
                "indexes": [
                    Index(
                        fields=["user", "-created_at", "-id"],
                        name="idx_submissions_user_newest",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="generationjob",
            name="submission",
            field=ForeignKey(
                db_on_delete="CASCADE",
                null=True,
                related_name="jobs",
                to="generation.submission",
            ),
        ),
        OwnRows("submissions"),
        sql_pair(__file__, "submissions"),
    ]
