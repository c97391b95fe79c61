"""The hash that seals a posting to the one before it; LEDGER.md tells its bytes.

The ledger's trigger has the same expression. It stands here a second time on purpose:
an audit that called a function of the database would believe whoever replaced it.
"""

from __future__ import annotations

# What the first posting of a user follows.
START = "decode(repeat('00', 32), 'hex')"

_HASH = """sha256(
    {previous} || uuid_send({row}.id) || uuid_send({row}.user_id)
    || int8send({row}.sequence) || int4send({row}.amount)
    || int4send(octet_length({row}.type::text))
    || convert_to({row}.type::text, 'UTF8')
    || int4send({row}.balance_after)
    || int4send(octet_length({row}.idempotency_key::text))
    || convert_to({row}.idempotency_key::text, 'UTF8')
    || timestamptz_send({row}.created_at)
)"""


def row_hash_sql(row: str, *, previous: str = START) -> str:
    """The SQL for the hash of `row`, an alias, after the hash `previous`."""
    return _HASH.format(row=row, previous=previous)
