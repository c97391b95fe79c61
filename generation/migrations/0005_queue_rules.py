"""Row-level security of the queue, and the transitions that a job may make."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0004_queue"),
    ]

    operations = [
        sql_pair(__file__, "queue"),
    ]
