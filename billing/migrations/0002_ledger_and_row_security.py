"""Row-level security of billing, and the ledger that is only ever appended to."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_row_security"),
        ("billing", "0001_initial"),
    ]

    operations = [
        sql_pair(__file__, "row_security"),
        sql_pair(__file__, "updated_at"),
        sql_pair(__file__, "ledger"),
    ]
