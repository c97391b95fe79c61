"""The rules of credit_holds that the database keeps by itself."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, ProgrammingError, connection

from billing.models import CreditHold
from billing.services.holds import place_hold, settle_hold
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.factories import make_job, make_owner
from tests.database import readonly_connection

pytestmark = pytest.mark.django_db

INSERT = """
INSERT INTO credit_holds (user_id, job_id, kind, amount)
VALUES (%s, %s, %s, %s)
"""


@pytest.fixture
def alice():
    return make_owner("alice")


@pytest.fixture
def placed(alice):
    job = make_job(alice.id, quoted_credits=50)
    with acting_as(user_actor(alice.id)):
        return place_hold(user_id=alice.id, job_id=job.id, amount=50)


def execute(actor, statement: str, *params: object) -> int:
    with acting_as(actor), connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


@pytest.mark.parametrize(
    ("kind", "amount", "rule"),
    [
        ("gift", 5, "credit_holds_kind_check"),
        ("api_usage", 0, "credit_holds_amount_check"),
        ("api_usage", -5, "credit_holds_amount_check"),
    ],
)
def test_a_hold_has_a_known_kind_and_a_positive_amount(alice, kind, amount, rule):
    job = make_job(alice.id)
    with pytest.raises(IntegrityError, match=rule):
        execute(SERVICE, INSERT, alice.id, job.id, kind, amount)


def test_a_job_has_one_hold(placed):
    with pytest.raises(IntegrityError, match="credit_holds_job_id_key"):
        execute(SERVICE, INSERT, placed.user_id, placed.job_id, "api_usage", 5)


@pytest.mark.parametrize(
    ("status", "settled_amount", "resolved"),
    [
        ("lost", None, True),
        ("held", 5, False),
        ("held", None, True),
        ("settled", 5, False),
        ("settled", None, True),
        ("settled", 0, True),
        ("settled", 51, True),
        ("released", None, False),
        ("released", 0, True),
    ],
)
def test_status_charge_and_time_fit_together(placed, status, settled_amount, resolved):
    with pytest.raises(IntegrityError, match="credit_holds_status_check"):
        execute(
            SERVICE,
            "UPDATE credit_holds SET status = %s, settled_amount = %s, "
            "resolved_at = CASE WHEN %s THEN now() END",
            status,
            settled_amount,
            resolved,
        )


@pytest.mark.parametrize(
    "update",
    [
        "UPDATE credit_holds SET amount = 40",
        "UPDATE credit_holds SET kind = 'api_usage'",
        "UPDATE credit_holds SET created_at = now() - interval '1 hour'",
    ],
)
def test_the_terms_of_a_hold_never_change(placed, update):
    with pytest.raises(IntegrityError, match="never change"):
        execute(SERVICE, update)


def test_a_resolved_hold_stays_as_it_is(placed):
    with acting_as(SERVICE):
        settle_hold(job_id=placed.job_id, milliseconds=3000)
    with pytest.raises(IntegrityError, match="is settled and stays so"):
        execute(
            SERVICE,
            "UPDATE credit_holds SET status = 'held', settled_amount = NULL, "
            "resolved_at = NULL",
        )


def test_a_hold_begins_as_held(alice):
    with pytest.raises(IntegrityError, match="cannot begin as released"):
        execute(
            SERVICE,
            "INSERT INTO credit_holds "
            "(user_id, job_id, kind, amount, status, resolved_at) "
            "VALUES (%s, %s, 'api_usage', 5, 'released', now())",
            alice.id,
            make_job(alice.id).id,
        )


def test_no_user_writes_a_hold(alice, placed):
    job = make_job(alice.id)
    for statement, values in (
        (INSERT, [alice.id, job.id, "api_usage", 1]),
        ("UPDATE credit_holds SET status = 'released', resolved_at = now()", []),
        ("DELETE FROM credit_holds", []),
        ("SELECT 1 FROM credit_holds FOR UPDATE", []),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            execute(user_actor(alice.id), statement, *values)


def test_a_hold_is_of_its_jobs_user_and_of_its_quote_whoever_writes(alice):
    bob = make_owner("bob")
    job = make_job(alice.id, quoted_credits=5)
    for user, amount in ((bob.id, 5), (alice.id, 4), (alice.id, 6)):
        with pytest.raises(IntegrityError, match="not its user's or not its quote"):
            execute(SERVICE, INSERT, user, job.id, "generation_usage", amount)
    execute(SERVICE, INSERT, alice.id, job.id, "generation_usage", 5)


@pytest.mark.parametrize("change", ["quoted_credits = 9", "user_id = %s"])
def test_whose_a_job_is_and_its_quote_never_change(alice, change):
    job = make_job(alice.id, quoted_credits=5)
    values = [make_owner("bob").id] if "%s" in change else []
    with pytest.raises(IntegrityError, match="never change"):
        execute(
            SERVICE,
            f"UPDATE generation_jobs SET {change} WHERE id = %s",  # noqa: S608
            *values,
            job.id,
        )


def test_a_retry_is_of_the_same_user_whoever_writes(alice):
    theirs = make_job(make_owner("bob").id)
    with pytest.raises(IntegrityError, match="repeats another user's"):
        make_job(alice.id, retried_from_id=theirs.id)
    assert make_job(alice.id, retried_from_id=make_job(alice.id).id)


def test_a_user_does_not_see_a_foreign_hold(placed):
    with acting_as(user_actor(make_owner("bob").id)):
        assert not CreditHold.objects.exists()


def test_without_an_actor_no_hold_is_seen(placed):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM credit_holds")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_analysts_read_holds_and_change_none(alice):
    job = make_job(alice.id, quoted_credits=50)
    with acting_as(user_actor(alice.id)):
        place_hold(user_id=alice.id, job_id=job.id, amount=50)
    with readonly_connection() as analyst:
        assert analyst.execute("SELECT amount FROM credit_holds").fetchall() == [(50,)]
        with pytest.raises(Exception, match="permission denied"):
            analyst.execute("UPDATE credit_holds SET amount = 1")


def test_a_deleted_job_takes_its_hold_with_it(placed):
    execute(SERVICE, "DELETE FROM generation_jobs WHERE id = %s", placed.job_id)
    with acting_as(SERVICE):
        assert not CreditHold.objects.exists()
