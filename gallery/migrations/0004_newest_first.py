"""A user's pictures, newest first, page by key however many there are."""

from django.db import migrations

from pingvas.core.db.operations import AddIndexConcurrently
from pingvas.core.db.schema import Index


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("gallery", "0003_image_sha256"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="image",
            index=Index(
                fields=["user", "-created_at", "-id"], name="idx_images_user_newest"
            ),
        ),
    ]
