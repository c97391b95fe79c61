"""The last posting of each user: what a night's root is made of. See LEDGER.md.

Both functions ask in the caller's transaction, as the service.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from billing.services.audit import Fault

# User id, sequence, hash.
HEAD = struct.Struct(">16sq32s")
# Heads that one statement asks for.
BATCH = 5_000

_HEADS = """
SELECT
    coalesce(
        string_agg(
            uuid_send(user_id) || int8send(sequence) || row_hash, '' ORDER BY user_id
        ),
        ''
    ),
    count(*), coalesce(sum(sequence), 0)
FROM (
    SELECT DISTINCT ON (user_id) user_id, sequence, row_hash
    FROM credit_transactions ORDER BY user_id DESC, sequence DESC
) AS head
"""
_CHANGED = """
SELECT head.user_id, head.sequence, encode(head.row_hash, 'hex') AS signed,
    encode(posting.row_hash, 'hex') AS found
FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[])
    AS head(user_id, sequence, row_hash)
LEFT JOIN credit_transactions AS posting USING (user_id, sequence)
WHERE posting.row_hash IS DISTINCT FROM head.row_hash
ORDER BY head.user_id
"""


@dataclass(frozen=True, kw_only=True)
class Heads:
    """`packed` holds one HEAD for each user, ordered by id."""

    packed: bytes
    users: int
    postings: int


def read_heads() -> Heads:
    """The heads of one instant, put together by the database."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS)
        packed, users, postings = cursor.fetchone()
    return Heads(packed=bytes(packed), users=users, postings=int(postings))


def changed_heads(packed: bytes) -> Iterator[Fault]:
    """Heads that the ledger no longer has at their sequence with their hash.

    `found` is the hash that stands there now, None where there is no such posting.
    """
    size = HEAD.size * BATCH
    for start in range(0, len(packed), size):
        yield from _changed(packed[start : start + size])


def _changed(packed: bytes) -> Iterator[Fault]:
    users, sequences, hashes = zip(*HEAD.iter_unpack(packed), strict=True)
    values: list[Any] = [
        [UUID(bytes=user) for user in users],
        list(sequences),
        list(hashes),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, values)
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchall():
            fault = dict(zip(names, row, strict=True))
            yield Fault("root_head_changed", fault)
