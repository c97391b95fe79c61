from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0002_row_security"),
    ]

    operations = [
        migrations.AddField(
            model_name="image",
            name="sha256",
            field=models.CharField(blank=True, max_length=64, null=True),
        ),
    ]
