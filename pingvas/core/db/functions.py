"""Column defaults spelled exactly as the specification spells them."""

from __future__ import annotations

from django.db import models
from django.db.models import Func


class Now(Func):
    """`now()`: Django's own Now is STATEMENT_TIMESTAMP() on PostgreSQL."""

    function = "now"
    arity = 0
    output_field = models.DateTimeField()


class GenRandomUUID(Func):
    """`gen_random_uuid()`."""

    function = "gen_random_uuid"
    arity = 0
    output_field = models.UUIDField()
