"""A user's jobs, newest first, page by key however many there are."""

from django.db import migrations

from pingvas.core.db.operations import AddIndexConcurrently
from pingvas.core.db.schema import Index


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("generation", "0006_queue_order"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="generationjob",
            index=Index(
                fields=["user", "-created_at", "-id"],
                name="idx_generation_jobs_user_newest",
            ),
        ),
    ]
