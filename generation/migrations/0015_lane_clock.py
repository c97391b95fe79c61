"""A present of its own for each lane. One table a migration: nobody waits for two."""

from django.db import migrations, models

from pingvas.core.db.locks import CHANGED, LockTables


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0014_job_lanes"),
    ]

    operations = [
        LockTables(queue_clock=CHANGED),
        migrations.AddField(
            model_name="queueclock",
            name="external_time",
            field=models.FloatField(db_default=0.0, default=0.0),
        ),
    ]
