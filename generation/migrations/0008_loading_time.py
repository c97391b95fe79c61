"""How long a model takes to load, for the expected wait of who comes first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0007_newest_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelspeed",
            name="loading_milliseconds",
            field=models.FloatField(blank=True, null=True),
        ),
    ]
