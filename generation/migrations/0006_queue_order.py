"""Indexes for the order of claims: by finish, then age; the present by start."""

from __future__ import annotations

from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db import migrations, models

from pingvas.core.db.schema import Index

CLAIMABLE = models.Q(("claimable__eq", True))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("generation", "0005_queue_rules"),
    ]

    operations = [
        AddIndexConcurrently(
            "queueshare",
            Index(
                condition=CLAIMABLE,
                fields=["virtual_finish", "waiting_since", "user"],
                name="idx_queue_shares_order",
            ),
        ),
        AddIndexConcurrently(
            "queueshare",
            Index(
                condition=CLAIMABLE,
                fields=["virtual_start"],
                name="idx_queue_shares_present",
            ),
        ),
        RemoveIndexConcurrently("queueshare", "idx_queue_shares_virtual_finish"),
        RemoveIndexConcurrently("queueshare", "idx_queue_shares_virtual_start"),
    ]
