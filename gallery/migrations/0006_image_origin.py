"""How a picture came here. What is there, and what the version before adds, was made."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

from pingvas.core.db.locks import CHANGED, LockTables

ORIGINS = ["generated", "uploaded", "mask", "control"]


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0005_house_writes"),
    ]

    operations = [
        LockTables(images=CHANGED),
        migrations.AddField(
            model_name="image",
            name="origin",
            field=models.CharField(
                choices=[(each, each.capitalize()) for each in ORIGINS],
                db_default="generated",
                default="generated",
                max_length=10,
            ),
        ),
        AddConstraintNotValid(
            model_name="image",
            constraint=models.CheckConstraint(
                condition=Q(origin__in=ORIGINS), name="images_origin_check"
            ),
        ),
    ]
