"""Models are written by the house: a worker loads what a row names."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("modelhub", "0003_native_side"),
    ]

    operations = [
        sql_pair(__file__, "house_writes"),
    ]
