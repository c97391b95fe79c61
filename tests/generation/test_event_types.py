"""Every type of event is documented, and documented as it is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from uuid import uuid4

import pytest

from billing.services.announcements import announce_balance
from generation import consumers
from generation.admission import FOREIGN_ORIGIN, NOT_SIGNED_IN
from generation.events import EVENTS, JobFailed, JobProgress, to_event
from generation.services.lifecycle import Attempt
from generation.services.progress import report_step

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "generation" / "EVENTS.md").read_text(encoding="utf-8")
PROMISED = {
    "hello",
    "resync",
    "job.queued",
    "job.started",
    "job.progress",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "credits.changed",
}


def documented_fields():
    """Each type's row in the document's table: its type and the names of its data."""
    rows = re.findall(r"^\| `([a-z.]+)` \|[^|]*\|([^|]*)\|$", DOCUMENT, re.MULTILINE)
    return {kind: set(re.findall(r"`([a-z_]+)`", data)) for kind, data in rows}


def test_these_types_are_promised_and_no_others():
    assert set(EVENTS) == PROMISED
    assert set(documented_fields()) == PROMISED


@pytest.mark.parametrize("kind", sorted(PROMISED))
def test_the_data_of_every_type_is_documented(kind):
    names = {field.name for field in fields(EVENTS[kind])}
    assert documented_fields()[kind] == names


@pytest.mark.parametrize("kind", sorted(PROMISED))
def test_every_type_is_seen_over_a_socket_by_some_test(kind):
    tests = (ROOT / "tests" / "generation").glob("test_events_*.py")
    assert any(f'"{kind}"' in test.read_text(encoding="utf-8") for test in tests)


@pytest.mark.parametrize(
    "code",
    [
        NOT_SIGNED_IN,
        FOREIGN_ORIGIN,
        consumers.TOO_SLOW,
        consumers.UNSUPPORTED_FRAME,
        consumers.FRAME_TOO_LARGE,
        consumers.INTERNAL_ERROR,
        consumers.TRY_AGAIN_LATER,
    ],
)
def test_every_close_code_is_documented(code):
    assert re.search(rf"^\| {code} \|", DOCUMENT, re.MULTILINE)


@pytest.fixture
def published(monkeypatch):
    told = []
    monkeypatch.setattr("generation.services.progress.publish", told.append)
    monkeypatch.setattr("billing.services.announcements.publish_on_commit", told.append)
    return told


def test_the_credits_are_announced_as_documented(published):
    announce_balance(uuid4(), balance=10, held=4)
    [event] = published
    assert event.type == "credits.changed"
    assert event.data == {"balance": 10, "held": 4, "available": 6}
    assert set(event.data) == documented_fields()[event.type]


def test_progress_names_a_picture_only_when_there_is_one(published):
    attempt = Attempt(job_id=uuid4(), user_id=uuid4(), number=1)
    report_step(attempt, step=1, total=20, preview=False)
    report_step(attempt, step=2, total=20, preview=True)
    urls = [event.data["preview_url"] for event in published]
    assert urls == [None, f"/api/v1/jobs/{attempt.job_id}/preview?step=2"]


def test_an_event_carries_its_owner_and_its_job():
    user_id, job_id = uuid4(), uuid4()
    event = to_event(user_id, JobProgress(step=1, total_steps=2), job_id=job_id)
    assert (event.user_id, event.job_id, event.type) == (
        user_id,
        job_id,
        "job.progress",
    )


def test_a_long_message_is_cut():
    failed = JobFailed(
        status="failed",
        submission_id="s",
        batch_id="b",
        code="c",
        message="x" * 100_000,
        charge=0,
        released=1,
    )
    assert len(failed.message) == 1000
