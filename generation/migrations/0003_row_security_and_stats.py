"""Row-level security of jobs and workflows, and the daily statistics."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_row_security"),
        ("gallery", "0002_row_security"),
        ("generation", "0002_workflows_and_stats"),
    ]

    operations = [
        sql_pair(__file__, "row_security"),
        sql_pair(__file__, "updated_at"),
        sql_pair(__file__, "user_stats"),
    ]
