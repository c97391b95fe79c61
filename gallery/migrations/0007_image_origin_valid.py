from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0006_image_origin"),
    ]

    operations = [
        ValidateConstraint(model_name="image", name="images_origin_check"),
    ]
