"""The submissions of all jobs so far; the trigger makes their rows."""

from django.db import migrations

from pingvas.core.db.operations import AddIndexConcurrently, FillField
from pingvas.core.db.schema import Index


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("generation", "0010_submissions"),
    ]

    operations = [
        FillField("generationjob", "submission", "batch_id"),
        AddIndexConcurrently(
            model_name="generationjob",
            index=Index(
                fields=["submission"], name="idx_generation_jobs_submission_id"
            ),
        ),
    ]
