"""How a pass ends for jobs that were cancelled, ran too long or changed hands."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection

from billing.services.audit import audit_ledger
from generation.models import GenerationJob, Worker
from generation.services.lifecycle import cancel_job, fail_job
from generation.services.schedule import Standing, attempt_of
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.concurrency.queue_world import claim, make_model, make_rich, submit
from tests.database import admin_connection
from workers import lease as lease_module
from workers import service
from workers.ending import Ending
from workers.engine.engine import Engine
from workers.engine.errors import Stopped
from workers.engine.specs import Timings
from workers.lease import LeaseKeeper
from workers.model_cache import ModelCache
from workers.runner import Runner
from workers.service import as_service, write_as_service

pytestmark = pytest.mark.django_db(transaction=True)
LONG = {"width": 1024, "height": 1024, "steps": 40}
FIVE_SECONDS = Timings(loading=0, denoising=4_500, decoding=0)


@pytest.fixture
def alice():
    make_model()
    return make_rich("alice")


def run_past_deadline(job):
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_jobs SET deadline_at = now() - interval '1 second' "
            "WHERE id = %s",
            [job.id],
        )


def ask_to_cancel(job):
    with acting_as(user_actor(job.user_id)):
        cancel_job(user_id=job.user_id, job_id=job.id)


def look(keeper, ask=lease_module.renew_leases):
    keeper._look(ask)
    return keeper.should_stop()


def stop(jobs, keeper, steps=9):
    stopped = Stopped("test", steps_done=steps, timings=FIVE_SECONDS)
    Ending(jobs, [attempt_of(job) for job in jobs], keeper).stop(stopped)
    with acting_as(SERVICE):
        return GenerationJob.objects.in_bulk([job.id for job in jobs])


def test_a_cancelled_job_pays_for_what_ran(alice):
    submit(alice, **LONG)
    jobs = claim()
    keeper = LeaseKeeper([attempt_of(job) for job in jobs])
    assert look(keeper) is None
    ask_to_cancel(jobs[0])
    assert look(keeper) == "cancelled"
    ended = stop(jobs, keeper)[jobs[0].id]
    assert (ended.status, ended.credits_consumed) == ("cancelled", 5)
    assert audit_ledger() == []


def test_a_job_cancelled_before_its_first_step_costs_nothing(alice):
    submit(alice, **LONG)
    jobs = claim()
    keeper = LeaseKeeper([attempt_of(job) for job in jobs])
    ask_to_cancel(jobs[0])
    look(keeper)
    ended = stop(jobs, keeper, steps=0)[jobs[0].id]
    assert (ended.status, ended.credits_consumed) == ("cancelled", 0)


def test_a_job_past_its_deadline_costs_nothing_and_gets_another_try(alice):
    submit(alice, **LONG)
    jobs = claim()
    keeper = LeaseKeeper([attempt_of(job) for job in jobs])
    run_past_deadline(jobs[0])
    assert look(keeper) == "lease_lost"
    ended = stop(jobs, keeper)[jobs[0].id]
    assert (ended.status, ended.credits_consumed) == ("queued", None)
    assert claim()[0].attempt == 2


def test_of_a_batch_only_what_was_cancelled_is_charged(alice):
    submit(alice, (1, 2), **LONG)
    jobs = claim()
    keeper = LeaseKeeper([attempt_of(job) for job in jobs])
    ask_to_cancel(jobs[0])
    assert look(keeper) is None
    run_past_deadline(jobs[1])
    assert look(keeper) == "cancelled"
    ended = stop(jobs, keeper)
    assert [ended[job.id].status for job in jobs] == ["cancelled", "queued"]
    # Half of the pass's time.
    assert ended[jobs[0].id].credits_consumed == 3


def test_a_lease_that_was_lost_stays_lost(alice):
    submit(alice)
    [job] = claim()
    keeper = LeaseKeeper([attempt_of(job)])
    assert look(keeper, lambda attempts: Standing(frozenset(), frozenset()))
    assert look(keeper) == "lease_lost"


def test_a_job_that_ended_elsewhere_is_noticed(alice):
    submit(alice)
    [job] = claim()
    keeper = LeaseKeeper([attempt_of(job)])
    with acting_as(SERVICE):
        fail_job(attempt_of(job), code="x", message="x")
    assert look(keeper) == "lease_lost"
    assert stop([job], keeper)[job.id].status == "failed"


def test_an_ending_is_written_again_while_postgresql_is_away(alice, monkeypatch):
    monkeypatch.setattr(service, "RETRY_SECONDS", 0.01)
    tries = []

    def write():
        tries.append(None)
        if len(tries) < 3:
            raise OperationalError("away")

    write_as_service(write)
    assert len(tries) == 3


def test_an_ending_is_not_written_again_for_longer_than_a_lease(
    alice, monkeypatch, settings
):
    monkeypatch.setattr(service, "RETRY_SECONDS", 0.01)
    settings.LEASE_SECONDS = 0.05

    def write():
        raise OperationalError("away")

    with pytest.raises(OperationalError):
        write_as_service(write)


def backend(actor_scope):
    """The server process behind the thread's connection."""
    with actor_scope, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def ask_around_a_restart(scope):
    """What a thread of days gets before and after its connection was cut."""
    answers = []

    def live():
        try:
            answers.append(backend(scope()))
            with admin_connection() as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", answers)
            answers.append(backend(scope()))
        except OperationalError as error:
            answers.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=live)
    thread.start()
    thread.join(timeout=30)
    return answers


def test_control_a_connection_that_nobody_looks_after_stays_broken(alice):
    _, after = ask_around_a_restart(lambda: acting_as(SERVICE))
    assert isinstance(after, OperationalError)


def test_a_thread_of_a_worker_survives_a_restart_of_postgresql(alice):
    before, after = ask_around_a_restart(as_service)
    assert after != before


def test_a_worker_that_was_taken_for_dead_registers_again(tmp_path):
    runner = Runner(Engine(), ModelCache(tmp_path, 10**9), ["free"])
    runner.register("gpu")
    with acting_as(SERVICE):
        Worker.objects.all().delete()
    runner.beat()
    with acting_as(SERVICE):
        assert Worker.objects.get().name == "gpu"
