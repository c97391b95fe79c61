"""Row-level security of accounts, and the trigger that keeps `updated_at`."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        sql_pair(__file__, "row_security"),
        sql_pair(__file__, "updated_at"),
    ]
