"""A connection of its own, past Django's, that searches PostgreSQL's own schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections

from pingvas.core.db.ownership import SAFE_PATH


@contextmanager
def safe_connection(alias: str, **options: Any) -> Iterator[psycopg.Connection]:
    """One transaction by the alias's address; nothing there can be hidden by a name."""
    values = connections[alias].settings_dict
    known = {**values["OPTIONS"], **options, "options": SAFE_PATH}
    address = {
        "dbname": values["NAME"],
        "user": values["USER"],
        "password": values["PASSWORD"],
        "host": values["HOST"],
        "port": values["PORT"],
    }
    known.pop("pool", None)
    with psycopg.connect(**{k: v for k, v in address.items() if v}, **known) as one:
        yield one
