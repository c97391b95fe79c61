"""Signing in writes as the identity actor, and makes nobody more than they were."""

from django.db import migrations

from pingvas.core.db.sql import sql_pair


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_token_families"),
    ]

    operations = [
        sql_pair(__file__, "identity_rights"),
    ]
