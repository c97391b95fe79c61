"""An auditor breaks the books where no code of ours could, and must be told."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from billing.services.audit import audit_ledger
from billing.services.holds import (
    place_hold,
    release_hold,
    settle_cancelled,
    settle_hold,
)
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.chain import rechain
from tests.billing.factories import make_job, make_owner
from tests.database import admin_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books():
    """A user with a job in every status, each as the services leave it.

    Returns the job ids by status.
    """
    alice = make_owner("alice")
    ends = {
        "completed": lambda job: settle_hold(job_id=job, milliseconds=3000),
        "failed": lambda job: release_hold(job_id=job),
        "cancelled": lambda job: settle_cancelled(job_id=job, milliseconds=0),
    }
    charges, jobs = {"completed": 3, "failed": 0, "cancelled": 0}, {}
    for status in ("pending", "queued", "in_progress", *ends):
        job = make_job(
            alice.id, status, quoted_credits=10, credits_consumed=charges.get(status)
        )
        jobs[status] = job.id
        with acting_as(user_actor(alice.id)):
            place_hold(user_id=alice.id, job_id=job.id, amount=10)
        if status in ends:
            with acting_as(SERVICE):
                ends[status](job.id)
    assert audit_ledger() == []
    return jobs


def forge(statement: str, *params: object) -> None:
    """Change rows as no role of the product can: no trigger, no policy, no key."""
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        assert admin.execute(statement, params).rowcount > 0


def forge_sealed(statement: str, *params: object) -> None:
    """The same, and make every hash fit: the other checks have to find it."""
    forge(statement, *params)
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        rechain(admin)


def faults() -> list[str]:
    return [fault.check for fault in audit_ledger()]


def test_a_changed_balance_is_found(books):
    forge("UPDATE credit_balances SET balance = balance + 1")
    assert faults() == ["balance_differs"]


def test_a_vanished_balance_is_found(books):
    forge("DELETE FROM credit_balances")
    assert faults() == ["balance_differs", "held_above_balance"]


def test_a_balance_without_a_ledger_is_found(books):
    forge(
        "INSERT INTO credit_balances (user_id, balance) VALUES (%s, 5)",
        make_owner("bob").id,
    )
    assert faults() == ["balance_differs"]


def test_a_changed_amount_is_found(books):
    forge("UPDATE credit_transactions SET amount = 301 WHERE sequence = 1")
    assert faults() == ["broken_chain", "balance_differs"]


def test_a_changed_last_balance_is_found(books):
    forge(
        "UPDATE credit_transactions SET balance_after = balance_after + 1 "
        "WHERE sequence = 2"
    )
    assert faults() == ["broken_chain", "balance_differs"]


def test_a_missing_posting_is_found(books):
    forge("DELETE FROM credit_transactions WHERE sequence = 1")
    assert faults() == ["broken_chain", "balance_differs"]


def test_a_gap_in_the_sequence_is_found(books):
    forge("UPDATE credit_transactions SET sequence = 5 WHERE sequence = 2")
    assert faults() == ["broken_chain"]


def test_a_hold_above_the_balance_is_found(books):
    forge("UPDATE credit_holds SET amount = 999 WHERE job_id = %s", books["queued"])
    forge(
        "UPDATE generation_jobs SET quoted_credits = 999 WHERE id = %s", books["queued"]
    )
    assert faults() == ["held_above_balance"]


def test_a_charge_above_the_hold_is_found(books):
    # Booked consistently: only the hold can tell.
    forge_sealed(
        "UPDATE credit_transactions SET amount = -11, balance_after = 289 "
        "WHERE sequence = 2"
    )
    forge("UPDATE credit_balances SET balance = 289")
    assert faults() == ["usage_without_hold"]


def test_a_settled_hold_of_another_kind_than_its_posting_is_found(books):
    forge("UPDATE credit_holds SET kind = 'api_usage' WHERE status = 'settled'")
    assert faults() == ["usage_without_hold"]


def test_a_settled_hold_of_another_amount_than_its_posting_is_found(books):
    forge("UPDATE credit_holds SET settled_amount = 4 WHERE status = 'settled'")
    forge("UPDATE generation_jobs SET credits_consumed = 4 WHERE status = 'completed'")
    assert faults() == ["usage_without_hold"]


@pytest.mark.parametrize("column", ["quoted_credits", "credits_consumed"])
def test_a_job_that_shows_other_figures_than_its_hold_is_found(books, column):
    forge(f"UPDATE generation_jobs SET {column} = 9 WHERE status = 'completed'")  # noqa: S608
    assert faults() == ["job_shows_other_figures"]


def test_a_settled_job_that_was_never_posted_is_found(books):
    forge("UPDATE credit_transactions SET job_id = NULL WHERE sequence = 2")
    assert faults() == ["settled_not_posted_once"]


def test_a_job_posted_twice_is_found(books):
    forge_sealed(
        "INSERT INTO credit_transactions (user_id, amount, type, job_id, "
        "balance_after, idempotency_key, sequence, row_hash) SELECT user_id, amount, "
        "type, job_id, balance_after + amount, 'twice', 3, '' FROM credit_transactions "
        "WHERE sequence = 2"
    )
    forge("UPDATE credit_balances SET balance = 294")
    assert faults() == ["settled_not_posted_once"]


def test_usage_of_a_released_job_is_found(books):
    forge(
        "UPDATE credit_holds SET status = 'released', settled_amount = NULL "
        "WHERE job_id = %s",
        books["completed"],
    )
    assert faults() == [
        "usage_without_hold",
        "hold_differs_from_job",
        "job_shows_other_figures",
    ]


def faulty_jobs() -> set:
    found = audit_ledger()
    assert {fault.check for fault in found} == {"hold_differs_from_job"}
    return {fault.row["job_id"] for fault in found}


def live(books) -> set:
    return {books["pending"], books["queued"], books["in_progress"]}


def test_live_jobs_without_a_hold_are_found(books):
    forge("DELETE FROM credit_holds WHERE status = 'held'")
    assert faulty_jobs() == live(books)


def test_live_jobs_whose_hold_is_resolved_are_found(books):
    forge(
        "UPDATE credit_holds SET status = 'released', resolved_at = now() "
        "WHERE status = 'held'"
    )
    assert faulty_jobs() == live(books)


def test_holds_that_outlive_their_jobs_are_found(books):
    for was, forged in (
        ("pending", "completed"),
        ("queued", "failed"),
        ("in_progress", "cancelled"),
    ):
        forge(
            "UPDATE generation_jobs SET status = %s, lease_expires_at = NULL "
            "WHERE id = %s",
            forged,
            books[was],
        )
    assert faulty_jobs() == live(books)


@pytest.mark.parametrize(
    ("was", "forged"), [("completed", "failed"), ("failed", "completed")]
)
def test_an_end_that_the_hold_does_not_match_is_found(books, was, forged):
    forge("UPDATE generation_jobs SET status = %s WHERE id = %s", forged, books[was])
    assert faults() == ["hold_differs_from_job"]


def test_a_hold_of_another_user_is_found(books):
    bob = make_owner("bob").id
    forge(
        "UPDATE credit_holds SET user_id = %s WHERE job_id = %s", bob, books["failed"]
    )
    assert faults() == ["hold_differs_from_job"]


def test_the_command_ends_with_0_on_right_books(books):
    out = io.StringIO()
    call_command("audit_ledger", stdout=out)
    first, second = out.getvalue().splitlines()
    assert first == "The books are right: 7 checks passed."
    assert second.startswith("Not compared with a signed root")


def test_the_command_names_the_rows_at_fault(books):
    forge("DELETE FROM credit_holds WHERE job_id = %s", books["queued"])
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 rows at fault") as failed:
        call_command("audit_ledger", stdout=out)
    assert failed.value.returncode == 1
    assert out.getvalue().startswith("hold_differs_from_job: user_id=")
    assert f"job_id={books['queued']} job_status=queued" in out.getvalue()


def test_programs_read_the_answer_as_json(books):
    out = io.StringIO()
    call_command("audit_ledger", json=True, stdout=out)
    assert json.loads(out.getvalue())["ok"] is True

    forge("UPDATE credit_balances SET balance = 1")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("audit_ledger", json=True, stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["ok"] is False
    assert [fault["check"] for fault in answer["faults"]] == [
        "balance_differs",
        "held_above_balance",
    ]
    assert answer["faults"][0]["row"]["balance"] == 1
