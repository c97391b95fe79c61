"""Jobs and the queue are written by the house alone, and their users agree."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0008_loading_time"),
        ("gallery", "0004_newest_first"),
    ]

    operations = [
        sql_pair(__file__, "house_writes"),
    ]
