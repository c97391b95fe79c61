"""Any sequence of what users, workers, messages and clocks do, against a small model.

The model knows the state and attempt of every job. Whatever happens, the database must
say the same, a job that ended stays as it ended, and credits are conserved.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.test import Client
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from accounts.tiers import limits_for
from generation.models import MOST_ATTEMPTS, GenerationJob, JobStatus
from generation.services.lifecycle import (
    Attempt,
    NotCancelled,
    StaleAttempt,
    end_cancelled_job,
    fail_job,
    give_back_job,
)
from generation.services.progress import report_step
from generation.services.schedule import (
    attempt_of,
    read_standing,
    renew_leases,
    start_billed_phase,
)
from generation.services.sweep import sweep
from generation.states import TERMINAL, TRANSITIONS, WAITING
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.redis import tier_queue
from tests.cast import PASSWORD
from tests.concurrency.queue_world import (
    CHEAP,
    assert_queue_is_sound,
    claim,
    drain,
    expire_lease,
    finish,
    make_model,
    make_rich,
    queue_job,
)
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)

TIERS = ("free", "starter", "studio")
MILLISECONDS = st.sampled_from([0, 1, 400, 1_000, 9_999, 10**7])


@dataclass
class Job:
    """What the model knows of one accepted job."""

    user: int
    batch: str
    quote: int
    status: str = "queued"
    attempt: int = 0
    asked: bool = False
    expired: bool = False
    charge: int | None = None
    parents: tuple[UUID, ...] = ()


class Queue(RuleBasedStateMachine):
    """Three users of three tiers, any number of workers, messages in any order."""

    jobs = Bundle("jobs")
    attempts = Bundle("attempts")
    keys = Bundle("keys")
    messages = Bundle("messages")

    users: ClassVar[list[User]] = []
    clients: ClassVar[list[Client]] = []

    def __init__(self) -> None:
        super().__init__()
        redis_client().delete(*map(tier_queue, TIERS))
        self.model: dict[UUID, Job] = {}
        self.answers: dict[str, Any] = {}
        self.granted: list[Attempt] = []

    # What users do.

    def post(self, user: int, path: str, body: Any = None, **headers: str) -> Any:
        return self.clients[user].post(
            f"/api/v1/{path}",
            json.dumps(body or {}),
            "application/json",
            headers=headers,
        )

    def has_room(self, user: int) -> bool:
        return len(self.batches(user, WAITING)) < limits_for(TIERS[user]).waiting

    def batches(self, user: int, statuses: Any) -> set[str]:
        jobs = self.model.values()
        return {j.batch for j in jobs if j.user == user and j.status in statuses}

    def is_free(self, job: Job) -> bool:
        parents = (self.model[parent] for parent in job.parents)
        return all(parent.status == "completed" for parent in parents)

    def claimable(self, user: int) -> bool:
        jobs = self.model.values()
        mine = (job for job in jobs if job.user == user and job.status in WAITING)
        return any(map(self.is_free, mine))

    def accept(self, user: int, answer: Any) -> list[UUID]:
        body = answer.json()
        for row in body["jobs"]:
            job = Job(user, body["batch_id"], row["quoted_credits"])
            self.model[UUID(row["id"])] = job
        return [UUID(row["id"]) for row in body["jobs"]]

    @rule(
        target=jobs,
        user=st.integers(0, 2),
        size=st.integers(1, 3),
        steps=st.sampled_from([1, 150]),
    )
    def submit(self, user, size, steps):
        room = self.has_room(user)
        wish = CHEAP | {"seeds": [-1] * size, "steps": steps}
        answer = self.post(user, "jobs", wish)
        assert answer.status_code == (201 if room else 429)
        if not room:
            assert answer.json()["error"]["code"] == "queue_full"
            return multiple()
        return multiple(*self.accept(user, answer))

    @rule(target=jobs, parents=st.lists(jobs, min_size=1, max_size=3, unique=True))
    def wait_for_others(self, parents):
        """As a workflow will: a job that is made from the pictures of others."""
        user = self.model[parents[0]].user
        chosen = [
            parent
            for parent in parents
            if self.model[parent].user == user
            and self.model[parent].status not in ("failed", "cancelled")
        ]
        if not chosen or not self.has_room(user):
            return multiple()
        rows = [GenerationJob(id=parent) for parent in chosen]
        job = queue_job(self.users[user], parents=rows)
        self.model[job.id] = Job(user, str(job.batch_id), 1, parents=tuple(chosen))
        return job.id

    @rule(target=keys, user=st.integers(0, 2))
    def submit_with_a_key(self, user):
        if not self.has_room(user):
            return multiple()
        key = uuid4().hex
        answer = self.post(user, "jobs", CHEAP, **{"Idempotency-Key": key})
        self.accept(user, answer)
        self.answers[key] = user, answer.json()
        return key

    @rule(key=keys, other_body=st.booleans())
    def submit_again(self, key, other_body):
        user, first = self.answers[key]
        wish = CHEAP | ({"steps": 2} if other_body else {})
        answer = self.post(user, "jobs", wish, **{"Idempotency-Key": key})
        if other_body:
            assert answer.status_code == 409
        else:
            assert answer.json() == first

    @rule(target=jobs, job=jobs)
    def retry(self, job):
        user = self.model[job].user
        ended = self.model[job].status in TERMINAL
        expected = (201 if self.has_room(user) else 429) if ended else 409
        answer = self.post(user, f"jobs/{job}/retry")
        assert answer.status_code == expected
        return multiple(*(self.accept(user, answer) if expected == 201 else ()))

    @rule(job=jobs, stranger=st.booleans())
    def cancel(self, job, stranger):
        known = self.model[job]
        user = (known.user + stranger) % len(TIERS)
        answer = self.post(user, f"jobs/{job}/cancel")
        if stranger:
            assert answer.status_code == 404
            return
        if known.status in WAITING:
            self.end(known, "cancelled", 0)
        elif known.status == "in_progress":
            known.asked = True
        assert answer.json()["status"] == known.status

    # What messages do.

    @rule(target=messages, tier=st.sampled_from(TIERS))
    def take_message(self, tier):
        text = redis_client().lpop(tier_queue(tier))
        return multiple() if text is None else text

    @rule(message=consumes(messages))
    def lose_message(self, message):
        pass

    @rule(target=attempts, message=messages)
    def deliver_message(self, message):
        """Now, late or once more: the bundle keeps what was delivered."""
        assert json.loads(message)["headers"]["task"] == "workers.run_next"
        return self.claim_next()

    # What workers do.

    @rule(target=attempts)
    def look_while_idle(self):
        return self.claim_next()

    def claim_next(self):
        claimed = claim()
        if not claimed:
            for user, tier in enumerate(TIERS):
                running = self.batches(user, {"in_progress"})
                assert (
                    not self.claimable(user) or len(running) >= limits_for(tier).running
                )
            return multiple()
        assert len({self.model[job.id].batch for job in claimed}) == 1
        for job in claimed:
            known = self.model[job.id]
            assert known.status in WAITING
            assert self.is_free(known)
            known.status, known.attempt = "in_progress", known.attempt + 1
            known.expired = False
            assert job.attempt == known.attempt
        attempts = [attempt_of(job) for job in claimed]
        self.granted += attempts
        return multiple(*attempts)

    def holder(self, attempt: Attempt) -> Job | None:
        """The model's job if this attempt still has it; None for a zombie."""
        job = self.model[attempt.job_id]
        ours = job.status == "in_progress" and job.attempt == attempt.number
        return job if ours else None

    def end(self, job: Job, status: str, charge: int) -> None:
        job.status, job.charge = status, charge
        job.asked = job.expired = False
        if status != "completed":
            self.lose_children(job)

    def lose_children(self, lost: Job) -> None:
        for child in self.model.values():
            is_child = any(self.model[parent] is lost for parent in child.parents)
            if is_child and child.status in WAITING:
                self.end(child, "cancelled", 0)

    @rule(attempt=attempts)
    def renew(self, attempt):
        job = self.holder(attempt)
        with acting_as(SERVICE):
            standing = renew_leases([attempt])
        assert standing.held == ({attempt.job_id} if job else set())
        assert standing.cancelled == ({attempt.job_id} if job and job.asked else set())
        if job:
            job.expired = False

    @rule(attempt=attempts)
    def look(self, attempt):
        job = self.holder(attempt)
        with acting_as(SERVICE):
            standing = read_standing([attempt])
        assert bool(standing.held) == bool(job and not job.expired)

    @rule(attempt=attempts, step=st.integers(1, 20))
    def progress(self, attempt, step):
        with acting_as(SERVICE):
            start_billed_phase([attempt])
        report_step(attempt, step=step, total=20, preview=False)

    def refusal(self, job: Job | None) -> Any:
        return nullcontext() if job else pytest.raises(StaleAttempt)

    @rule(attempt=attempts, milliseconds=MILLISECONDS)
    def complete(self, attempt, milliseconds):
        job = self.holder(attempt)
        with self.refusal(job):
            finish(attempt, milliseconds)
        if job:
            seconds = max(1, -(-milliseconds // 1000))
            self.end(job, "completed", min(seconds, job.quote))

    @rule(attempt=attempts)
    def fail(self, attempt):
        job = self.holder(attempt)
        with self.refusal(job), acting_as(SERVICE):
            fail_job(attempt, code="broken_picture", message="black")
        if job:
            self.end(job, "failed", 0)

    @rule(attempt=attempts)
    def give_back(self, attempt):
        job = self.holder(attempt)
        with self.refusal(job), acting_as(SERVICE):
            give_back_job(attempt, code="internal_error", message="failed")
        if job:
            self.take_back(job)

    def take_back(self, job: Job) -> None:
        if job.asked:
            self.end(job, "cancelled", 0)
        elif job.attempt == MOST_ATTEMPTS:
            self.end(job, "failed", 0)
        else:
            job.status, job.expired = "queued", False

    @rule(attempt=attempts, milliseconds=MILLISECONDS)
    def stop(self, attempt, milliseconds):
        job = self.holder(attempt)
        asked = job and job.asked
        refusal = NotCancelled if job else StaleAttempt
        with (
            nullcontext() if asked else pytest.raises(refusal),
            acting_as(SERVICE),
        ):
            end_cancelled_job(attempt, milliseconds=milliseconds)
        if job and asked:
            self.end(job, "cancelled", min(-(-milliseconds // 1000), job.quote))

    # What clocks do.

    @rule(attempt=attempts)
    def let_the_lease_run_out(self, attempt):
        expire_lease(attempt.job_id)
        job = self.model[attempt.job_id]
        job.expired = job.status == "in_progress"

    @precondition(lambda self: any(job.expired for job in self.model.values()))
    @rule()
    def sweep(self):
        expired = [job for job in self.model.values() if job.expired]
        assert sweep()["leases"] == len(expired)
        for job in expired:
            self.take_back(job)

    @rule(target=attempts, attempt=attempts)
    def change_hands(self, attempt):
        """The worker sleeps through its lease, and another takes the job."""
        self.let_the_lease_run_out(attempt)
        if self.model[attempt.job_id].expired:
            self.sweep()
        return self.claim_next()

    def zombies(self) -> list[Attempt]:
        """Attempts whose job another worker runs now."""
        return [
            attempt
            for attempt in self.granted
            if self.model[attempt.job_id].status == "in_progress"
            and self.model[attempt.job_id].attempt > attempt.number
        ]

    @precondition(lambda self: self.zombies())
    @rule(write=st.sampled_from(["complete", "fail", "give_back", "stop"]))
    def write_as_a_zombie(self, write):
        attempt = self.zombies()[-1]
        more = {"milliseconds": 400} if write in ("complete", "stop") else {}
        getattr(self, write)(attempt, **more)

    @invariant()
    def the_database_agrees(self):
        with acting_as(SERVICE):
            rows = GenerationJob.objects.filter(id__in=list(self.model))
            found = {
                row.id: (row.status, row.attempt, row.credits_consumed) for row in rows
            }
        assert found == {
            key: (job.status, job.attempt, job.charge)
            for key, job in self.model.items()
        }
        assert_queue_is_sound()

    def teardown(self):
        """Every accepted job ends: what runs is lost, what waits is served."""
        for key, job in self.model.items():
            if job.status == "in_progress":
                expire_lease(key)
        sweep()
        drain()
        with acting_as(SERVICE):
            assert not GenerationJob.objects.exclude(status__in=TERMINAL).exists()
        assert_queue_is_sound()


def signed_in(user: User) -> Client:
    client = Client()
    assert client.login(username=user.email, password=PASSWORD)
    return client


def test_every_job_ends_once_whatever_happens(settings):
    settings.TIER_OVERRIDES = {tier: {"submissions": 10**6} for tier in TIERS}
    make_model()
    Queue.users = [make_rich(tier, tier, password=PASSWORD) for tier in TIERS]
    Queue.clients = [signed_in(user) for user in Queue.users]
    run_state_machine_as_test(
        Queue,
        settings=hypothesis_settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            # Every call commits: shrinking a failure would take minutes.
            phases={Phase.reuse, Phase.generate},
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_the_database_allows_the_transitions_of_the_table_and_no_other():
    user = make_rich("alice")
    for before in JobStatus:
        for after in JobStatus:
            with acting_as(SERVICE):
                job = GenerationJob.objects.create(
                    user=user,
                    tier="free",
                    model="starter",
                    prompt="a star",
                    width=64,
                    height=64,
                    status=before,
                    lease_expires_at=Now() if before == "in_progress" else None,
                )
            allowed = after in TRANSITIONS[before] or after == before
            refusal = pytest.raises(IntegrityError, match="may not go")
            with nullcontext() if allowed else refusal, acting_as(SERVICE):
                lease = Now() if after == "in_progress" else None
                rows = GenerationJob.objects.filter(id=job.id)
                rows.update(status=after, lease_expires_at=lease)
