"""Statistics that count pictures of the gallery alone.

By themselves: they are counted while no table of people's is locked.
"""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0008_shown_and_uploaded"),
        ("generation", "0012_job_inputs"),
    ]

    operations = [
        sql_pair(__file__, "shown_stats"),
    ]
