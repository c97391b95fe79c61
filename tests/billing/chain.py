"""The ledger's hash chain as billing/LEDGER.md tells it, in Python."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

START = bytes(32)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
HASHED = (
    "id, user_id, sequence, amount, type, balance_after, idempotency_key, created_at"
)


def row_hash(previous: bytes, row: Mapping[str, Any]) -> bytes:
    """The hash of a posting that follows one with the hash `previous`."""
    kind, key = row["type"].encode(), row["idempotency_key"].encode()
    microseconds = (row["created_at"] - EPOCH) // timedelta(microseconds=1)
    return sha256(
        previous
        + row["id"].bytes
        + row["user_id"].bytes
        + struct.pack(">qi", row["sequence"], row["amount"])
        + struct.pack(">i", len(kind))
        + kind
        + struct.pack(">i", row["balance_after"])
        + struct.pack(">i", len(key))
        + key
        + struct.pack(">q", microseconds)
    ).digest()


def read_rows(connection: Any) -> list[dict[str, Any]]:
    """Every posting in the order of the chains."""
    asked = connection.execute(
        f"SELECT {HASHED}, row_hash FROM credit_transactions"  # noqa: S608 - our names
        " ORDER BY user_id, sequence"
    )
    names = [column.name for column in asked.description]
    return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]


def computed_hashes(connection: Any) -> dict[UUID, bytes]:
    """The hash that each posting should have, by its id."""
    hashes: dict[UUID, bytes] = {}
    last: dict[UUID, bytes] = {}
    for row in read_rows(connection):
        user = row["user_id"]
        last[user] = row_hash(last.get(user, START), row)
        hashes[row["id"]] = last[user]
    return hashes


def rechain(connection: Any) -> None:
    """Make every hash fit what the rows say now, for whom the guards are off."""
    for key, value in computed_hashes(connection).items():
        connection.execute(
            "UPDATE credit_transactions SET row_hash = %s WHERE id = %s", [value, key]
        )
