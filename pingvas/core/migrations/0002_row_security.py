"""Row-level security of idempotency keys."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_row_security"),
        ("core", "0001_idempotency_keys"),
    ]

    operations = [
        sql_pair(__file__, "row_security"),
    ]
