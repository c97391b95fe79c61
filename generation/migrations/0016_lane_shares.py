"""Places in each lane, constant for the version before."""

from django.db import migrations, models

from pingvas.core.db.locks import CHANGED, LockTables


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0015_lane_clock"),
    ]

    operations = [
        LockTables(queue_shares=CHANGED),
        migrations.AddField(
            model_name="queueshare",
            name="external_limit",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="queueshare",
            name="external_running",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="queueshare",
            name="external_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="queueshare",
            name="external_claimable",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="queueshare",
            name="external_start",
            field=models.FloatField(db_default=0.0, default=0.0),
        ),
        migrations.AddField(
            model_name="queueshare",
            name="external_finish",
            field=models.FloatField(db_default=0.0, default=0.0),
        ),
    ]
