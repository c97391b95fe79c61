"""What `make slow` checks after an upgrade, on a small world of this version alone."""

from __future__ import annotations

from uuid import uuid4

import pytest

from bench.upgrade import checks
from bench.upgrade.member import Worker
from generation.models import GenerationJob
from generation.services.lifecycle import cancel_job
from pingvas.core.db.actor import SERVICE, acting_as
from tests.cast import PASSWORD, make_user
from tests.database import admin_connection
from tests.generation.test_job_life import give, model, submit  # noqa: F401 - a fixture
from tests.generation.test_submissions import insert

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    found = [make_user("alice", tier="starter"), make_user("bob", tier="studio")]
    for user in found:
        give(user, 1000)
    return found


@pytest.fixture
def ended():
    """What the worker says: which job it ended, and how."""
    return []


@pytest.fixture
def jobs(people, ended):
    """Some of each user's, of which the last was cancelled; all have ended."""
    asked = [submit(user, seeds=(1, 2)) for user in people for _ in range(3)]
    for user, [job, _] in zip(people, (asked[2], asked[5]), strict=True):
        cancel_job(user_id=user.id, job_id=job.id)
    worker = Worker(lambda job, how: ended.append((job, how)))
    while worker.work():
        pass
    return [str(job.id) for pair in asked for job in pair]


def getter(client, user):
    assert client.login(username=user.email, password=PASSWORD)
    return lambda path: client.get(path).json()


def look(client, people, taken, ended, told=None):
    """Every check, with what it found."""
    found = [checks.check_rows(), checks.check_done(taken, ended)]
    for user in people:
        get = getter(client, user)
        found.append(checks.check_lists(get))
        rows = checks.ended_rows(get)
        found.append(checks.check_read((told or {}).get(user.id, rows), rows))
    return {name: rows for name, rows in checks.together(found).items() if rows}


def test_a_sound_world_passes_every_check(client, people, jobs, ended):
    assert look(client, people, jobs, ended) == {}
    assert {how for _, how in ended} <= {"completed", "failed", "given back"}
    assert len([how for _, how in ended if how in checks.ENDS]) == len(jobs) - 2


def test_a_job_of_the_version_before_that_still_waits_is_named(client, people, jobs):
    batch = uuid4()
    insert(people[0], batch)
    with acting_as(SERVICE):
        job = GenerationJob.objects.get(batch_id=batch)
    found = look(client, people, jobs, [])
    assert found["not ended"] == [f"{job.id} pending"]
    # It was written without a hold.
    assert [str(job.id) in fault for fault in found["ledger"]] == [True]


FAULTS = {
    "lost": "DELETE FROM generation_jobs WHERE id = %(job)s",
    "not ended": "UPDATE generation_jobs SET status = 'queued' WHERE id = %(job)s",
    "hold not resolved": """
        UPDATE credit_holds SET status = 'held', settled_amount = NULL,
            resolved_at = NULL
        WHERE job_id = %(job)s
    """,
    "without a submission of its user": """
        UPDATE submissions SET user_id = %(other)s WHERE id = (
            SELECT submission_id FROM generation_jobs WHERE id = %(job)s
        )
    """,
    "submission not listed once": """
        UPDATE submissions SET kind = 'trial' WHERE id = (
            SELECT submission_id FROM generation_jobs WHERE id = %(job)s
        )
    """,
    "job not listed once": """
        UPDATE generation_jobs SET user_id = %(other)s WHERE id = %(job)s
    """,
    "submission without a job": "INSERT INTO submissions (user_id) VALUES (%(other)s)",
    "batch in two submissions": """
        UPDATE generation_jobs SET submission_id = (
            SELECT id FROM submissions WHERE user_id = %(other)s LIMIT 1
        ) WHERE id = %(job)s
    """,
    "not one picture where completed, or one elsewhere": """
        UPDATE images SET job_id = NULL WHERE job_id = %(job)s
    """,
    "queue counts on": "UPDATE queue_shares SET running = 1 WHERE user_id = %(other)s",
    "ledger": "UPDATE credit_balances SET balance = 7 WHERE user_id = %(other)s",
    "reads otherwise": "UPDATE generation_jobs SET steps = 21 WHERE id = %(job)s",
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_by_its_check(name, client, people, jobs, ended):
    told = {user.id: checks.ended_rows(getter(client, user)) for user in people}
    [job, *_] = [job for job, how in ended if how == "completed" and job in jobs[:6]]
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        done = admin.execute(FAULTS[name], {"job": job, "other": people[1].id})
        assert done.rowcount == 1
    found = look(client, people, jobs, ended, told)
    assert name in found
    if name in ("lost", "not ended", "hold not resolved", "reads otherwise"):
        assert job in found[name][0]


def test_a_job_that_two_workers_ended_is_named(client, people, jobs, ended):
    [job] = [job for job, how in ended if how == "completed"][:1]
    found = look(client, people, jobs, [*ended, (job, "completed")])
    assert found == {"done twice": [job]}


def test_the_worker_ends_as_cancelled_what_was_cancelled_while_it_ran(people, jobs):
    told = []
    worker = Worker(lambda job, how: told.append((job, how)))
    [mine] = submit(people[1])
    claimed = worker.claim()
    cancel_job(user_id=people[1].id, job_id=mine.id)
    worker.end(claimed)
    assert told == [(str(mine.id), "cancelled")]
