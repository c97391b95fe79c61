"""Each posting is sealed to the one before it; the audit names what does not fit."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.errors import RestrictViolation

from billing.models import CreditTransaction, TransactionType
from billing.services.audit import audit_ledger
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.chain import EPOCH, computed_hashes, read_rows
from tests.billing.factories import grant, make_owner
from tests.contracts.people import (
    connected,
    insert_user,
    set_balance,
)
from tests.database import flush_as_administrator, owner_connection

pytestmark = pytest.mark.django_db(transaction=True)

# Before the epoch of PostgreSQL's clock.
SOME_DAY = EPOCH.replace(year=1999, tzinfo=None)
POSTINGS = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.sampled_from(TransactionType.values),
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30),
        st.datetimes(SOME_DAY, SOME_DAY.replace(year=2199), timezones=st.just(UTC)),
    ),
    min_size=1,
    max_size=6,
)
# What an owner may do to one field, and stays within the table's own constraints.
CHANGES = {
    "id": "gen_random_uuid()",
    "user_id": "%(nobody)s",
    "sequence": "sequence + 100",
    "amount": "amount + 1",
    "type": "CASE type WHEN 'api_usage' THEN 'generation_usage' ELSE 'api_usage' END",
    "balance_after": "balance_after + 1",
    "idempotency_key": "idempotency_key || 'x'",
    "created_at": "created_at + interval '1 microsecond'",
    "row_hash": "sha256(row_hash)",
}
# The row is then in another place, and what is named is where it is missing.
MOVES = {"user_id", "sequence"}


@contextmanager
def unguarded():
    """The owner, who may switch the ledger's triggers off."""
    with owner_connection() as owner, owner.transaction():
        owner.execute("ALTER TABLE credit_transactions DISABLE TRIGGER USER")
        yield owner
        owner.execute("ALTER TABLE credit_transactions ENABLE TRIGGER USER")


def insert(user, postings):
    """Post as the service does, with times and keys of the example's own."""
    balances = list(accumulate(amount for amount, *_rest in postings))
    with connected("service_user") as service:
        set_balance(service, user, balances[-1])
        for number, (amount, kind, key, at) in enumerate(postings):
            service.execute(
                "INSERT INTO credit_transactions (user_id, sequence, amount, type, "
                "balance_after, idempotency_key, created_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    user,
                    number + 1,
                    amount,
                    kind,
                    balances[number],
                    f"{uuid4()}{key}",
                    at,
                ],
            )


def broken():
    found = [fault.row for fault in audit_ledger() if fault.check == "broken_chain"]
    return [(row["id"], row["differs"]) for row in found]


@settings(
    max_examples=25,
    deadline=None,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(POSTINGS, min_size=1, max_size=3),
    st.sampled_from(sorted(CHANGES)),
    st.data(),
)
def test_python_computes_the_same_chain_and_any_changed_field_is_found(
    ledgers, column, data
):
    flush_as_administrator()
    with connected("service_user") as service:
        users = [insert_user(service, f"user{n}") for n in range(len(ledgers))]
        nobody = insert_user(service, "nobody")
    for user, postings in zip(users, ledgers, strict=True):
        insert(user, postings)
    with owner_connection() as owner:
        rows = read_rows(owner)
        assert computed_hashes(owner) == {row["id"]: row["row_hash"] for row in rows}
    assert broken() == []
    place = data.draw(st.integers(0, len(rows) - 1), "row")
    named = change(rows[place]["id"], column, nobody)
    after = rows[place + 1]["id"] if place + 1 < len(rows) else None
    found = dict(broken())
    if column in MOVES:
        assert found
        assert set(found) <= {named, after}
    else:
        assert list(found) == [named]
        assert "row_hash" in found[named]


def change(posting, column, nobody) -> UUID:
    """Change one field of one row; returns the row's id, which may be another now."""
    with unguarded() as owner:
        [(key,)] = owner.execute(
            f"UPDATE credit_transactions SET {column} = {CHANGES[column]} "  # noqa: S608
            "WHERE id = %(id)s RETURNING id",
            {"id": posting, "nobody": nobody},
        ).fetchall()
    return key


def test_what_the_seal_leaves_out_may_go():
    alice = make_owner("alice")
    grant(alice.id, 5, "a")
    with unguarded() as owner:
        owner.execute("UPDATE credit_transactions SET description = 'erased'")
    assert broken() == []


def test_a_hash_that_the_client_sends_is_overwritten():
    alice = make_owner("alice")
    grant(alice.id, 5, "a")
    with connected("service_user") as service:
        set_balance(service, alice.id, 306)
        service.execute(
            "INSERT INTO credit_transactions (user_id, sequence, amount, type, "
            "balance_after, idempotency_key, row_hash) "
            "VALUES (%s, 3, 1, 'admin_adjustment', 306, 'b', %s)",
            [alice.id, bytes(32)],
        )
    assert broken() == []


def test_a_seal_is_never_changed():
    alice = make_owner("alice")
    grant(alice.id, 5, "a")
    with pytest.raises(RestrictViolation), connected("owner") as owner:
        owner.execute("UPDATE credit_transactions SET row_hash = sha256(row_hash)")


def test_the_posting_keeps_the_time_that_was_hashed():
    alice = make_owner("alice")
    before = datetime.now(UTC)
    posting = grant(alice.id, 5, "a")
    with acting_as(SERVICE):
        kept = CreditTransaction.objects.get(pk=posting.pk)
    assert kept.created_at == posting.created_at
    assert abs(kept.created_at - before) < timedelta(minutes=1)
    with owner_connection() as owner:
        assert computed_hashes(owner)[kept.id] == bytes(kept.row_hash)


def test_a_removed_posting_is_named_by_the_one_after_it():
    alice = make_owner("alice")
    last = [grant(alice.id, 5, key) for key in "abc"][-1]
    with unguarded() as owner:
        owner.execute("DELETE FROM credit_transactions WHERE sequence = 3")
    assert broken() == [(last.id, "sequence balance_after row_hash")]


def test_an_audit_does_not_ask_functions_that_the_owner_may_replace():
    with owner_connection() as owner:
        ours = {
            name
            for (name,) in owner.execute(
                "SELECT proname FROM pg_proc WHERE pronamespace = "
                "current_schema()::regnamespace"
            )
        }
    with connection.execute_wrapper(
        lambda run, sql, *rest: asked.append(sql) or run(sql, *rest)
    ):
        asked: list[str] = []
        audit_ledger()
    assert asked
    assert not [name for name in ours if any(name in statement for statement in asked)]
