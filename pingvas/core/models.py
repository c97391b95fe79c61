"""Rows of the ground itself."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pingvas.core.db.schema import ForeignKey, Index, created_at


class IdempotencyKey(models.Model):
    """A request that was carried out, and its answer, so that it can be told twice.

    Written in the transaction of the effect itself: both are there, or neither.
    """

    pk = models.CompositePrimaryKey("user_id", "key")
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    key = models.CharField(max_length=255)
    # SHA-256 over method, path and body: the same key with another request is refused.
    fingerprint = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    body = models.JSONField()
    created_at = created_at()

    class Meta:
        db_table = "idempotency_keys"
        indexes = [Index(fields=["created_at"], name="idx_idempotency_keys_created_at")]

    def __str__(self) -> str:
        return self.key
