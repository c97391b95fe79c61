"""Count what is there. Apart from the triggers, whose making locks the table."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0009_picture_storage"),
    ]

    operations = [
        sql_pair(__file__, "picture_storage_filled"),
    ]
