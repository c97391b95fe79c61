"""Where a picture lies is the house's to say, and what it belongs to agrees."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0004_newest_first"),
    ]

    operations = [
        sql_pair(__file__, "house_writes"),
    ]
