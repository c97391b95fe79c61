"""What workers are able to do and to hold; of the version before nothing is known."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from pingvas.core.db.locks import CHANGED, LockTables


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0016_lane_shares"),
    ]

    operations = [
        LockTables(generation_workers=CHANGED),
        migrations.AddField(
            model_name="worker",
            name="lane",
            field=models.CharField(
                db_default="gpu",
                default="gpu",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="worker",
            name="capabilities",
            field=ArrayField(models.TextField(), blank=True, null=True),
        ),
        migrations.AddField(
            model_name="worker",
            name="largest_bytes",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="worker",
            name="left_alone",
            field=ArrayField(models.TextField(), db_default=[], default=list),
        ),
    ]
