"""Which pictures a job reads."""

from django.db import migrations, models
from django.db.models import Q

from pingvas.core.db.locks import REFERRED, LockTables
from pingvas.core.db.own_rows import OwnRows, Reference
from pingvas.core.db.schema import ForeignKey, Index
from pingvas.core.db.sql import sql_pair

ROLES = ["init", "mask", "control", "reference"]


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0008_shown_and_uploaded"),
        ("generation", "0011_fill_submissions"),
    ]

    operations = [
        LockTables(generation_jobs=REFERRED, images=REFERRED),
        migrations.CreateModel(
            name="JobInput",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id",
                        "role",
                        "position",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[(each, each.capitalize()) for each in ROLES],
                        max_length=10,
                    ),
                ),
                ("position", models.SmallIntegerField(db_default=0, default=0)),
                (
                    "image",
                    ForeignKey(
                        db_on_delete="SET NULL",
                        null=True,
                        related_name="+",
                        to="gallery.image",
                    ),
                ),
                (
                    "job",
                    ForeignKey(
                        db_on_delete="CASCADE",
                        related_name="inputs",
                        to="generation.generationjob",
                    ),
                ),
            ],
            options={
                "db_table": "job_inputs",
                "indexes": [
                    Index(
                        condition=Q(image__isnull=False),
                        fields=["image"],
                        name="idx_job_inputs_image",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(role__in=ROLES), name="job_inputs_role_check"
                    )
                ],
            },
        ),
        OwnRows(
            "job_inputs",
            through=Reference("job_id", "generation_jobs", required=True),
        ),
        sql_pair(__file__, "job_inputs"),
    ]
