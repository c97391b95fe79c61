"""Lanes of jobs, and what they need and wait for.

Every column has a constant default: the version before goes on inserting jobs, which
are of the GPUs' lane and wait for nothing.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from pingvas.core.db.locks import CHANGED, LockTables
from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0013_shown_stats"),
        ("modelhub", "0004_house_writes"),
    ]

    operations = [
        LockTables(generation_jobs=CHANGED),
        migrations.AddField(
            model_name="generationjob",
            name="lane",
            field=models.CharField(
                db_default="gpu",
                default="gpu",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="generationjob",
            name="needs",
            field=ArrayField(models.TextField(), db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="generationjob",
            name="needs_bytes",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="generationjob",
            name="waits_for",
            field=ArrayField(models.UUIDField(), db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="generationjob",
            name="waits_on",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        AddConstraintNotValid(
            model_name="generationjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("lane__in", ["gpu", "external"])),
                name="generation_jobs_lane_check",
            ),
        ),
        AddConstraintNotValid(
            model_name="generationjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("needs_bytes__gte", 0)),
                name="generation_jobs_needs_bytes_check",
            ),
        ),
        AddConstraintNotValid(
            model_name="generationjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("waits_on__gte", 0),
                    ("waits_on__lte", models.F("waits_for__len")),
                ),
                name="generation_jobs_waits_on_check",
            ),
        ),
        sql_pair(__file__, "lanes"),
    ]
