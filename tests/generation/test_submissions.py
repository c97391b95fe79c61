"""What was asked for at once: listed, cancelled and charged as one."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import IntegrityError

from accounts.models import User
from generation.models import GenerationJob, Submission
from generation.services.lifecycle import cancel_submission
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.errors import NotFound
from tests.cast import PASSWORD, make_user
from tests.database import admin_connection
from tests.generation.test_job_life import claim, finish, give, model, submit  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(client):
    user = make_user("alice", tier="studio")
    give(user, 100)
    assert client.login(username=user.email, password=PASSWORD)
    return user


def get(client, path="submissions", **query):
    return client.get(f"/api/v1/{path}", query).json()


def post(client, path, body=None):
    return client.post(f"/api/v1/{path}", json.dumps(body or {}), "application/json")


def test_no_page_of_the_list_cuts_a_submission(client, alice):
    asked = [submit(alice, seeds=range(count)) for count in (3, 1, 2)]
    first = get(client, limit=2)
    second = get(client, limit=2, after=first["next"])
    pages = [first["results"], second["results"]]
    assert [[len(one["jobs"]) for one in page] for page in pages] == [[2, 1], [3]]
    listed = [one["id"] for page in pages for one in page]
    assert listed == [str(jobs[0].submission_id) for jobs in reversed(asked)]
    assert second["next"] is None


def test_it_says_how_its_jobs_are_and_what_they_cost(client, alice):
    jobs = submit(alice, seeds=(1, 2, 3))
    held = sum(job.quoted_credits for job in jobs)
    path = f"submissions/{jobs[0].submission_id}"
    waiting = get(client, path)
    assert (waiting["kind"], waiting["status"]) == ("batch", "queued")
    assert (waiting["counts"]["queued"], waiting["held"]) == (3, held)
    for job in claim():
        finish(job)
    done = get(client, path)
    assert (done["status"], done["counts"]["completed"], done["held"]) == (
        "completed",
        3,
        0,
    )
    assert done["charged"] + done["released"] == held
    receipt = get(client, f"{path}/receipt")
    assert receipt["charged"] == sum(one["charged"] for one in receipt["jobs"]) == 3
    assert receipt["released"] == held - 3


def test_the_answer_to_a_submission_is_what_the_list_says(client, alice):
    wish = {"model": "starter", "prompt": "a star", "width": 128, "height": 128}
    told = post(client, "jobs", wish | {"seeds": [1, 2]}).json()
    assert get(client)["results"] == [told]
    assert {job["submission_id"] for job in told["jobs"]} == {told["id"]}


def test_cancelling_it_cancels_every_job_that_waits(client, alice):
    jobs = submit(alice, seeds=(1, 2))
    kept = submit(alice, seeds=(3,))
    path = f"submissions/{jobs[0].submission_id}/cancel"
    for _ in range(2):
        told = post(client, path).json()
        assert (told["status"], told["counts"]["cancelled"]) == ("cancelled", 2)
    with acting_as(user_actor(alice.id)):
        assert GenerationJob.objects.get(id=kept[0].id).status == "queued"


def test_another_users_submission_is_not_there(client, alice):
    bob = make_user("bob")
    [job] = submit(bob)
    path = f"/api/v1/submissions/{job.submission_id}"
    assert client.get(path).status_code == 404
    assert client.get(f"{path}/receipt").status_code == 404
    assert client.post(f"{path}/cancel").status_code == 404
    with pytest.raises(NotFound):
        cancel_submission(user_id=alice.id, submission_id=job.submission_id)
    assert get(client)["results"] == []
    with acting_as(user_actor(bob.id)):
        assert GenerationJob.objects.get(id=job.id).status == "queued"


def test_the_houses_own_stand_in_no_list(client, alice):
    with acting_as(SERVICE):
        Submission.objects.create(user_id=alice.id, kind="trial")
    assert get(client)["results"] == []


def test_the_houses_own_are_not_a_users_to_cancel(client, alice):
    [job] = submit(alice)
    with admin_connection() as admin:
        admin.execute("UPDATE submissions SET kind = 'trial'")
    with acting_as(user_actor(alice.id)), pytest.raises(NotFound):
        cancel_submission(user_id=alice.id, submission_id=job.submission_id)
    with acting_as(SERVICE):
        assert GenerationJob.objects.get(id=job.id).status == "queued"


# -- Jobs of the version before

INSERT = """
    INSERT INTO generation_jobs (user_id, tier, prompt, model, width, height, batch_id,
        batch_index, batch_size, created_at)
    VALUES (%s, 'free', 'a star', 'starter', 64, 64, %s, %s, 2, '2026-01-02T03:04:05Z')
    RETURNING submission_id, (
        SELECT created_at FROM submissions WHERE id = submission_id
    )
"""


def insert(user: User, batch, index=0):
    """As a version that knows no submissions does it."""
    with admin_connection() as admin:
        admin.execute("SET ROLE service_user")
        return admin.execute(INSERT, [user.id, batch, index]).fetchone()


def test_a_job_without_a_submission_gets_one(alice):
    batch = uuid4()
    assert insert(alice, batch)[0] == insert(alice, batch, 1)[0] == batch
    with acting_as(user_actor(alice.id)):
        made = Submission.objects.get()
        assert (made.id, made.kind, made.created_at.year) == (batch, "batch", 2026)
        assert made.jobs.count() == 2


def test_a_job_of_another_users_submission_is_refused(alice):
    [theirs] = submit(make_user("bob"))
    with acting_as(SERVICE), pytest.raises(IntegrityError, match="another user"):
        GenerationJob.objects.create(
            user_id=alice.id,
            tier="free",
            prompt="a star",
            model="starter",
            width=64,
            height=64,
            submission_id=theirs.submission_id,
        )
    with pytest.raises(Exception, match="another user"):
        insert(alice, theirs.batch_id, 1)


def test_a_job_never_changes_its_submission_for_another_users(alice):
    [mine], [theirs] = submit(alice), submit(make_user("bob"))
    with acting_as(SERVICE), pytest.raises(IntegrityError, match="another user"):
        GenerationJob.objects.filter(id=mine.id).update(
            submission_id=theirs.submission_id
        )
