"""What requests were answered is no analyst's business."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_row_security"),
    ]

    operations = [
        sql_pair(__file__, "no_analyst"),
    ]
