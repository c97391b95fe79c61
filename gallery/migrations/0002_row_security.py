"""Row-level security of pictures and boards."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_row_security"),
        ("gallery", "0001_initial"),
    ]

    operations = [
        sql_pair(__file__, "row_security"),
        sql_pair(__file__, "updated_at"),
    ]
