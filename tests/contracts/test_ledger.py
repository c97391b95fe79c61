"""The ledger guards itself: whoever connects, it is only ever appended to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import (
    CheckViolation,
    InsufficientPrivilege,
    RestrictViolation,
)

from tests.contracts.people import (
    ROLES,
    Posting,
    connected,
    everybody_may_create,
    insert_job,
    insert_subscription,
    insert_user,
    post,
    set_balance,
)
from tests.database import app_connection, flush_as_administrator

REFUSALS = {
    "app_user": InsufficientPrivilege,
    "service_user": InsufficientPrivilege,
    "owner": RestrictViolation,
    "superuser": RestrictViolation,
}


@dataclass(frozen=True)
class Account:
    """Granted 50 by a subscription, charged 20 for a job."""

    user: UUID
    job: UUID
    subscription: UUID


@pytest.fixture
def alice(django_db_setup: None) -> Iterator[Account]:
    with connected("superuser") as admin:
        user = insert_user(admin, "alice")
        job, subscription = insert_job(admin, user), insert_subscription(admin, user)
        set_balance(admin, user, 30)
        post(
            admin,
            user,
            Posting(1, 50, 50, "subscription_grant", subscription_id=subscription),
        )
        post(admin, user, Posting(2, -20, 30, "generation_usage", job_id=job))
    yield Account(user, job, subscription)
    flush_as_administrator()


def _postings() -> list[tuple[Any, ...]]:
    with connected("superuser") as admin:
        rows: list[tuple[Any, ...]] = admin.execute(
            "SELECT sequence, amount, balance_after, job_id, subscription_id"
            " FROM credit_transactions ORDER BY sequence"
        ).fetchall()
    return rows


def _charged_for_a_job(connection: Any, account: Account) -> None:
    set_balance(connection, account.user, 20)
    post(
        connection,
        account.user,
        Posting(3, -10, 20, "generation_usage", job_id=account.job),
    )


def test_the_house_may_append(alice):
    with connected("service_user") as connection:
        _charged_for_a_job(connection, alice)
    assert _postings()[-1] == (3, -10, 20, alice.job, None)


def test_no_user_posts_or_moves_a_balance(alice):
    for write in (
        lambda connection: post(connection, alice.user, Posting(3, 1_000_000, 30)),
        lambda connection: set_balance(connection, alice.user, 30),
    ):
        with (
            pytest.raises(InsufficientPrivilege),
            connected("app_user", alice.user) as connection,
        ):
            write(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_transactions SET amount = 1000",
        "UPDATE credit_transactions SET amount = amount",
        "UPDATE credit_transactions SET job_id = NULL",
        "UPDATE credit_transactions SET subscription_id = NULL",
        "UPDATE credit_transactions SET job_id = NULL, amount = 1000",
        "DELETE FROM credit_transactions",
        "TRUNCATE credit_transactions CASCADE",
        "TRUNCATE users CASCADE",
    ],
)
def test_nobody_may_change_what_was_posted(alice, statement):
    before = _postings()
    for role, refusal in REFUSALS.items():
        with pytest.raises(refusal), connected(role, alice.user) as connection:
            connection.execute(statement)
    assert _postings() == before


@pytest.mark.parametrize("role", ["service_user", "owner", "superuser"])
def test_a_deleted_job_leaves_its_postings_without_the_reference(alice, role):
    with connected(role) as connection:
        connection.execute("DELETE FROM generation_jobs WHERE id = %s", [alice.job])
    assert _postings() == [
        (1, 50, 50, None, alice.subscription),
        (2, -20, 30, None, None),
    ]


@pytest.mark.parametrize("role", ["service_user", "owner", "superuser"])
def test_a_deleted_subscription_leaves_its_postings_without_the_reference(alice, role):
    with connected(role) as connection:
        connection.execute(
            "DELETE FROM subscriptions WHERE id = %s", [alice.subscription]
        )
    assert _postings() == [(1, 50, 50, None, None), (2, -20, 30, alice.job, None)]


def test_a_posting_may_lose_both_parents_in_one_statement(alice):
    with connected("service_user") as service:
        set_balance(service, alice.user, 29)
        post(
            service,
            alice.user,
            Posting(3, -1, 29, job_id=alice.job, subscription_id=alice.subscription),
        )
    with connected("service_user") as service:
        service.execute(
            "WITH job AS (DELETE FROM generation_jobs)"
            " DELETE FROM subscriptions WHERE user_id = %s",
            [alice.user],
        )
    assert _postings()[-1] == (3, -1, 29, None, None)


@pytest.mark.parametrize("role", ["owner", "superuser"])
def test_a_user_with_postings_cannot_be_deleted(alice, role):
    with pytest.raises(RestrictViolation), connected(role) as connection:
        connection.execute("DELETE FROM users WHERE id = %s", [alice.user])
    assert len(_postings()) == 2


def test_a_user_without_postings_can_be_deleted(alice):
    with connected("service_user") as service:
        bob = insert_user(service, "bob")
        set_balance(service, bob, 0)
    with connected("owner") as owner:
        owner.execute("DELETE FROM users WHERE id = %s", [bob])
        assert owner.execute("SELECT id FROM users").fetchall() == [(alice.user,)]


@pytest.mark.parametrize(
    "posting",
    [
        pytest.param(Posting(4, 5, 35), id="leaves a gap"),
        pytest.param(Posting(2, 5, 35), id="repeats a number"),
        pytest.param(Posting(3, 5, 36), id="invents a balance"),
        pytest.param(Posting(3, -31, -1), id="goes below zero"),
    ],
)
def test_a_posting_that_does_not_continue_the_ledger_is_refused(alice, posting):
    for role in ROLES:
        with (
            pytest.raises(CheckViolation, match=r"continue the ledger|balance_after"),
            connected(role, alice.user) as connection,
        ):
            post(connection, alice.user, posting)
    assert len(_postings()) == 2


def test_the_first_posting_starts_at_one_and_from_nothing(alice):
    with connected("service_user") as service:
        bob = insert_user(service, "bob")
    for posting in (Posting(2, 5, 5), Posting(1, 5, 10)):
        with (
            pytest.raises(CheckViolation, match="continue the ledger"),
            connected("service_user") as service,
        ):
            post(service, bob, posting)


def test_a_balance_that_the_ledger_does_not_say_is_refused_at_commit(alice):
    for role in ROLES:
        with (
            pytest.raises(CheckViolation, match="is 31, but the ledger says 30"),
            connected(role, alice.user) as connection,
        ):
            set_balance(connection, alice.user, 31)


def test_a_posting_without_its_balance_is_refused_at_commit(alice):
    for role in ROLES:
        with (
            pytest.raises(CheckViolation, match="is 30, but the ledger says 25"),
            connected(role, alice.user) as connection,
        ):
            post(connection, alice.user, Posting(3, -5, 25))
    assert len(_postings()) == 2


def test_a_balance_cannot_be_invented_removed_or_handed_over(alice):
    with connected("service_user") as service:
        bob = insert_user(service, "bob")
    with (
        pytest.raises(CheckViolation, match="is 7, but the ledger says"),
        connected("service_user") as service,
    ):
        set_balance(service, bob, 7)
    with (
        pytest.raises(CheckViolation, match="but the ledger says 30"),
        connected("owner") as owner,
    ):
        owner.execute("DELETE FROM credit_balances")
    with (
        pytest.raises(CheckViolation, match="the ledger says"),
        connected("service_user") as service,
    ):
        service.execute("UPDATE credit_balances SET user_id = %s", [bob])


def test_the_actor_at_commit_makes_no_difference(alice):
    """The checks see every row even when the transaction ends as nobody."""
    with connected("service_user") as connection:
        _charged_for_a_job(connection, alice)
        connection.execute("SET LOCAL ROLE app_user")
    assert len(_postings()) == 3


def test_a_temporary_table_cannot_pass_for_the_ledger(alice):
    with (
        pytest.raises(CheckViolation, match="but the ledger says 30"),
        everybody_may_create(),
        connected("service_user") as connection,
    ):
        _pretend_to_have(1000, connection, alice)


def _pretend_to_have(credits: int, connection: Any, account: Account) -> None:
    connection.execute("UPDATE credit_balances SET balance = %s", [credits])
    connection.execute(
        "CREATE TEMPORARY TABLE credit_transactions AS"
        " SELECT %s AS user_id, 3 AS sequence, %s AS balance_after",
        [account.user, credits],
    )
    connection.execute("GRANT SELECT ON pg_temp.credit_transactions TO PUBLIC")


def test_a_better_fitting_function_is_not_called_with_the_owners_rights(alice):
    with (
        pytest.raises(CheckViolation, match="but the ledger says 30"),
        everybody_may_create(),
        connected("service_user") as connection,
    ):
        _hide_the_balance(connection)


def _hide_the_balance(connection: Any) -> None:
    """`unnest(uuid[])` fits better than pg_catalog's `unnest(anyarray)`."""
    connection.execute(
        "CREATE FUNCTION unnest(uuid[]) RETURNS SETOF uuid LANGUAGE sql"
        " AS 'SELECT NULL::uuid'"
    )
    connection.execute("UPDATE credit_balances SET balance = 1000")


def test_a_better_fitting_operator_is_not_called_with_the_owners_rights(alice):
    with everybody_may_create(), app_connection() as connection:
        for sign in ("=", "<>"):
            connection.execute(HIJACK.format(sign=sign, name=f"hijack_{len(sign)}"))
        connection.execute("SET ROLE service_user")
        connection.execute("DELETE FROM generation_jobs WHERE id = %s", [alice.job])
        row = connection.execute(
            "SELECT job_id FROM credit_transactions WHERE sequence = 2"
        ).fetchone()
        connection.rollback()
    assert row == (None,)


HIJACK = """
    CREATE FUNCTION {name}(credit_transactions, credit_transactions) RETURNS boolean
        LANGUAGE plpgsql AS $$ BEGIN RAISE 'acting as %', current_user; END $$;
    CREATE OPERATOR {sign} (
        FUNCTION = {name}, LEFTARG = credit_transactions, RIGHTARG = credit_transactions
    );
"""


def test_functions_with_their_owners_rights_read_the_schema_first(django_db_setup):
    with connected("superuser") as admin:
        rows = admin.execute(
            "SELECT proname, proconfig FROM pg_proc"
            " WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
        ).fetchall()
    assert rows
    for name, settings in rows:
        path = settings[0].removeprefix("search_path=").replace(" ", "").split(",")
        assert path == ["dev_pingvas", "extensions", "pg_temp"], name
