"""Credits are written by the house alone, and a hold is its job's."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_ledger_roots"),
        ("generation", "0001_initial"),
    ]

    operations = [
        sql_pair(__file__, "house_writes"),
    ]
