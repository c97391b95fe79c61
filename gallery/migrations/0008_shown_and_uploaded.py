"""Galleries without masks and control pictures; an upload's bytes once a user."""

from django.db import migrations, models
from django.db.models import Q

from pingvas.core.db.operations import AddIndexConcurrently, AddUniqueConcurrently
from pingvas.core.db.schema import Index


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("gallery", "0007_image_origin_valid"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="image",
            index=Index(
                fields=["user", "-created_at", "-id"],
                name="idx_images_user_shown",
                condition=Q(origin__in=("generated", "uploaded")),
            ),
        ),
        AddUniqueConcurrently(
            "image",
            models.UniqueConstraint(
                fields=["user", "sha256"],
                condition=Q(origin="uploaded"),
                name="images_uploaded_once",
            ),
        ),
    ]
