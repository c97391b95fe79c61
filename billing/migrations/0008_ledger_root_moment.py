"""Whoever records a root of the ledger records it of this moment, by this clock."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_house_writes")]

    operations = [
        sql_pair(__file__, "ledger_root_moment"),
    ]
