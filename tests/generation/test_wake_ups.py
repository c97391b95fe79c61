"""Messages that wake workers, limits of submissions, and the sweep behind both."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask
from redis import Redis

from accounts.limits import GenerationLimitReached
from accounts.tiers import limits_for
from billing.models import CreditHold
from generation.models import GenerationJob, Worker
from generation.services import wake
from generation.services.registry import Registration, beat, register_worker
from generation.services.schedule import attempt_of
from generation.services.submit import QueueFull
from generation.services.sweep import sweep
from generation.tasks import sweep_queue
from pingvas import schedule
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.errors import ServiceUnavailable
from pingvas.core.redis import generation_rate, tier_queue
from tests.concurrency.queue_world import (
    claim,
    expire_lease,
    finish,
    make_model,
    make_rich,
    offer,
    submit,
)
from tests.database import owner_connection
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)
TIERS = ("free", "starter", "pro", "studio", "enterprise")


@pytest.fixture(autouse=True)
def studio():
    redis_client().delete(*map(tier_queue, TIERS))
    make_model()


@pytest.fixture
def alice():
    return make_rich("alice")


@pytest.fixture
def without_redis(monkeypatch):
    """Every client of Redis finds nobody at its address."""
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    for name in ("accounts.limits", "generation.services.wake", "pingvas.core.events"):
        monkeypatch.setattr(f"{name}.redis_client", lambda: nowhere)


def messages(tier: str) -> list[dict[str, Any]]:
    """What lies in `queue:{tier}`, oldest last, as Celery wrote it."""
    return [json.loads(text) for text in redis_client().lrange(f"queue:{tier}", 0, -1)]


def kwargs_of(message: dict[str, Any]) -> dict[str, Any]:
    arguments, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert arguments == []
    return dict(kwargs)


def test_a_submission_wakes_its_tier_with_the_names_of_job_and_user():
    alice = make_rich("alice", "pro")
    first, _ = submit(alice, (1, 2))
    [message] = messages("pro")
    assert message["headers"]["task"] == "workers.run_next"
    assert kwargs_of(message) == {"job_id": str(first.id), "user_id": str(alice.id)}
    assert not any(messages(tier) for tier in TIERS if tier != "pro")


def test_a_submission_that_is_rolled_back_wakes_nobody(alice):
    with acting_as(user_actor(alice.id)):
        submit(alice)
        transaction.set_rollback(True)
    assert messages("free") == []


def test_a_wake_up_does_not_expire(alice):
    # One that expired in the queue would keep others from being sent.
    submit(alice)
    redis_client().delete("queue:free")
    sweep()
    assert messages("free")[0]["headers"]["expires"] is None


def test_the_sweep_wakes_the_tiers_whose_message_was_lost(alice):
    [job] = submit(alice)
    submit(make_rich("bob", "studio"))
    redis_client().delete("queue:free")
    assert sweep() == {"leases": 0, "parents": 0, "workers": 0, "tiers": 1}
    [message] = messages("free")
    assert kwargs_of(message) == {"job_id": str(job.id), "user_id": str(alice.id)}
    assert len(messages("studio")) == 1
    assert sweep()["tiers"] == 0


def test_the_sweep_wakes_nobody_for_what_may_not_run_yet(alice):
    submit(alice)
    submit(alice)
    claim()
    redis_client().delete("queue:free")
    assert sweep()["tiers"] == 0
    assert messages("free") == []


def test_a_claim_and_an_end_wake_whom_they_leave_work(alice):
    bob = make_rich("bob")
    for user in (alice, alice, bob):
        submit(user)
    redis_client().delete("queue:free")
    [first] = claim()
    [message] = messages("free")
    assert kwargs_of(message)["user_id"] == str(bob.id)
    claim()
    redis_client().delete("queue:free")
    finish(attempt_of(first))
    [message] = messages("free")
    assert kwargs_of(message)["user_id"] == str(alice.id)


def test_without_redis_a_submission_is_refused_before_anything_is_written(
    alice, without_redis
):
    with pytest.raises(ServiceUnavailable):
        submit(alice)
    with acting_as(SERVICE):
        assert not GenerationJob.objects.exists()
        assert not CreditHold.objects.exists()


def test_jobs_that_were_accepted_are_claimed_and_ended_without_redis(
    alice, request, monkeypatch
):
    submit(alice)
    submit(make_rich("bob", "pro"))
    request.getfixturevalue("without_redis")
    sent = []
    monkeypatch.setattr(wake, "send_task", lambda *args, **kwargs: sent.append(args))
    begun = time.monotonic()
    for _ in range(2):
        [job] = claim()
        assert finish(attempt_of(job)).status == "completed"
    # Sending to a broker that is away takes seconds each time.
    assert sent == []
    assert time.monotonic() - begun < 5


def test_a_failing_wake_up_does_not_undo_a_claim(alice, monkeypatch):
    submit(alice)

    def fail(*args: object) -> None:
        raise RuntimeError("no wake-up")

    monkeypatch.setattr(wake, "_without_message", fail)
    submit(make_rich("bob"))
    assert len(claim()) == 1


def test_submissions_wait_up_to_the_plans_number_and_a_batch_is_one(alice):
    submit(alice, tuple(range(8)))
    submit(alice, (1, 2))
    with pytest.raises(QueueFull) as full:
        submit(alice)
    assert full.value.data == {"limit": 2}
    claim()
    assert len(submit(alice)) == 1


def test_submissions_are_counted_for_ten_minutes(settings):
    settings.TIER_OVERRIDES = {"free": {"waiting": 100}}
    alice, bob = make_rich("alice"), make_rich("bob")
    allowed = limits_for("free").submissions
    for _ in range(allowed):
        submit(alice, (1, 2))
    with pytest.raises(GenerationLimitReached) as reached:
        submit(alice)
    assert reached.value.data["limit"] == allowed
    assert 0 < redis_client().ttl(generation_rate(alice.id)) <= 600
    assert redis_client().get(f"ratelimit:user:{alice.id}:generation") is not None
    assert len(submit(bob)) == 1
    redis_client().delete(generation_rate(alice.id))
    assert len(submit(alice)) == 1


def test_one_faulty_job_does_not_hold_up_the_sweep(alice, caplog):
    [faulty] = submit(alice)
    [sound] = submit(make_rich("bob"))
    for job in (claim()[0], claim()[0]):
        expire_lease(job.id)
    with acting_as(SERVICE), connection.cursor() as cursor:
        # Used up, and without the hold that its end would release.
        cursor.execute(
            "UPDATE generation_jobs SET attempt = 3, "
            "lease_expires_at = lease_expires_at - interval '1 hour' WHERE id = %s",
            [faulty.id],
        )
    with owner_connection() as owner:
        owner.execute("DELETE FROM credit_holds WHERE job_id = %s", [faulty.id])
    sweep_queue()
    assert "lease not taken back" in caplog.text
    with acting_as(SERVICE):
        assert GenerationJob.objects.get(id=sound.id).status == "queued"


def test_a_worker_that_was_swept_as_silent_is_not_known_any_more():
    worker = Registration(
        worker_id=offer().worker_id,
        name="gpu",
        tiers=["free"],
        hardware_class="cpu",
        device_memory=1,
    )
    with acting_as(SERVICE):
        register_worker(worker)
        assert beat(worker.worker_id, warm_models=["starter"])
        Worker.objects.update(heartbeat_at=now() - timedelta(hours=1))
    assert sweep()["workers"] == 1
    with acting_as(SERVICE):
        assert not beat(worker.worker_id, warm_models=[])


def test_beat_sweeps_every_five_seconds_on_a_queue_of_its_own():
    call_command("sync_schedule", verbosity=0)
    with acting_as(SERVICE):
        task = PeriodicTask.objects.select_related("interval").get(
            task="generation.sweep"
        )
    assert (task.interval.every, task.interval.period) == (5, "seconds")
    assert (task.queue, task.expire_seconds, task.enabled) == ("sweep", 5, True)


def test_syncing_the_schedule_keeps_last_runs_and_what_staff_added():
    call_command("sync_schedule", verbosity=0)
    ran = now() - timedelta(hours=1)
    sweeps = PeriodicTask.objects.filter(task="generation.sweep")
    with acting_as(SERVICE):
        sweeps.update(last_run_at=ran, total_run_count=7, expire_seconds=99)
        PeriodicTask.objects.create(
            name="by hand", task="x", interval=sweeps.get().interval
        )
    call_command("sync_schedule", verbosity=0)
    with acting_as(SERVICE):
        task = sweeps.get()
        assert PeriodicTask.objects.filter(name="by hand").exists()
    assert (task.last_run_at, task.total_run_count) == (ran, 7)
    assert task.expire_seconds == 5


def test_what_is_no_longer_declared_is_no_longer_scheduled(monkeypatch):
    call_command("sync_schedule", verbosity=0)
    module = "pingvas.core.management.commands.sync_schedule.SCHEDULE"
    monkeypatch.setattr(module, schedule.SCHEDULE[1:])
    call_command("sync_schedule", verbosity=0)
    with acting_as(SERVICE):
        assert not PeriodicTask.objects.filter(task="generation.sweep").exists()
        assert PeriodicTask.objects.count() == len(schedule.SCHEDULE) - 1
