"""What the queue's tests do as users and workers, and what must hold at all times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from accounts.models import User
from accounts.tiers import Tier, limits_for
from billing.services.audit import audit_ledger
from billing.services.grants import adjust_credits
from billing.services.holds import place_holds
from gallery.models import Image
from gallery.services import StoredPicture
from generation.models import GenerationJob
from generation.services.dependencies import count_one
from generation.services.lifecycle import Attempt, Finished, complete_job
from generation.services.queue import open_share, refresh_share
from generation.services.schedule import WorkerOffer, attempt_of, claim_jobs
from generation.services.submit import submit_jobs
from generation.waiting import claimable, unfinished_parents, waiting_child
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.recipe.recipe import Recipe

# One credit: the smallest picture there is.
CHEAP = {"model": "starter", "prompt": "a star", "width": 64, "height": 64, "steps": 1}


def make_model(name: str = "starter", **over: Any) -> AIModel:
    values = {
        "type": "main",
        "base_model": "sd15",
        "is_official": True,
        "min_tier": None,
    }
    with acting_as(SERVICE):
        return AIModel.objects.create(name=name, **values | over)


def make_rich(name: str, tier: str = "free", password: str | None = None) -> User:
    """A user whom credits never stop. Hashing a password would take most of a test."""
    with acting_as(SERVICE):
        user = User.objects.create_user(f"{name}@example.com", password, tier=tier)
    with acting_as(SERVICE):
        adjust_credits(
            user_id=user.id, amount=1_000_000, reason="test", staff_id=uuid4()
        )
    return user


def submit(user: User, seeds: tuple[int, ...] = (7,), **over: Any) -> list[Any]:
    recipe = Recipe(**CHEAP | {"seeds": seeds} | over)
    with acting_as(user_actor(user.id)):
        return submit_jobs(user=user, recipe=recipe)


def queue_job(user: User, *, parents: Sequence[Any] = (), **over: Any) -> GenerationJob:
    """A submission of one credit with a lane and parents, which no page makes yet."""
    values = {"model": "starter", "prompt": "a star", "width": 64, "height": 64}
    values |= {"priority": limits_for(user.tier).priority}
    with acting_as(SERVICE):
        open_share(user.id, user.tier)
        job = GenerationJob.objects.create(
            user=user,
            tier=user.tier,
            status="queued",
            waits_for=[parent.id for parent in parents],
            **values | over,
        )
        place_holds(user_id=user.id, amounts={job.id: 1})
        count_one(job.id, user.id)
        refresh_share(user.id)
        job.refresh_from_db()
    return job


def offer(**over: Any) -> WorkerOffer:
    return WorkerOffer(**{"worker_id": uuid4(), "tiers": list(Tier.values)} | over)


def claim(**over: Any) -> list[GenerationJob]:
    with acting_as(SERVICE):
        return claim_jobs(offer(**over))


def picture(job_id: UUID) -> StoredPicture:
    return StoredPicture(
        bucket="local",
        key=f"{job_id}/{uuid4()}.png",
        sha256="0" * 64,
        file_size=1,
        width=64,
        height=64,
        format="png",
        metadata={"prompt": "a star"},
    )


def finished(job_id: UUID, milliseconds: int = 400) -> Finished:
    return Finished(
        picture=picture(job_id),
        timings={"denoising": milliseconds},
        billed_milliseconds=milliseconds,
        pass_size=1,
    )


def finish(attempt: Attempt, milliseconds: int = 400) -> GenerationJob:
    """Complete as the holder of `attempt`, the picture being stored already."""
    with acting_as(SERVICE):
        return complete_job(attempt, finished(attempt.job_id, milliseconds))


def finish_all(jobs: list[GenerationJob]) -> None:
    for job in jobs:
        finish(attempt_of(job))


def expire_lease(job_id: UUID) -> None:
    """Let the database's clock pass the end of a running job's lease."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_jobs SET lease_expires_at = now() - interval '1 second' "
            "WHERE id = %s AND status = 'in_progress'",
            [job_id],
        )


def drain(most: int = 1000) -> int:
    """Claim and complete until nothing is left; the number of claims."""
    for claims in range(most):
        jobs = claim()
        if not jobs:
            return claims
        finish_all(jobs)
    raise AssertionError(f"work is left after {most} claims")


# The recount of every share from the jobs alone, a row for each lane.
_WRONG_SHARES = Statement.of(
    """
    SELECT s.user_id, l.lane, s.running, r.every, l.running, r.mine, l.claimable,
        w.waiting, l.since
    FROM queue_shares s
    CROSS JOIN LATERAL (VALUES
        ('gpu', claimable, waiting_since, virtual_start, virtual_finish,
            running - external_running, running_limit),
        ('external', external_claimable, external_since, external_start,
            external_finish, external_running, external_limit)
    ) l(lane, claimable, since, start, finish, running, "limit")
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT batch_id) AS every,
            count(DISTINCT batch_id) FILTER (WHERE lane = l.lane) AS mine
        FROM generation_jobs
        WHERE user_id = s.user_id AND status = 'in_progress'
    ) r
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting FROM generation_jobs
        WHERE user_id = s.user_id AND lane = l.lane AND {claimable}
    ) w
    WHERE s.running <> r.every
       OR l.running <> r.mine
       OR r.every > s.running_limit
       OR r.mine > l."limit"
       OR l.claimable <> (
            w.waiting > 0 AND r.every < s.running_limit AND r.mine < l."limit")
       OR (l.since IS NULL) <> (w.waiting = 0)
       OR l.finish < l.start
    """,
    claimable=claimable("generation_jobs"),
)
_JOBS_WITHOUT_SHARE = Statement("""
    SELECT id FROM generation_jobs j
    WHERE NOT EXISTS (SELECT 1 FROM queue_shares s WHERE s.user_id = j.user_id)
""")
# What a waiting job says of its parents, and what they say themselves.
_WRONG_PARENTS = Statement.of(
    """
    SELECT id, waits_on, {unfinished} FROM generation_jobs j
    WHERE {child} AND waits_on <> {unfinished}
    """,
    child=waiting_child("j"),
    unfinished=unfinished_parents("j"),
)


def assert_shares_equal_the_jobs() -> None:
    """Each by one statement, and so at one instant, whatever goes on."""
    with acting_as(SERVICE):
        assert read_together([_WRONG_SHARES.bind()]) == [[]]
        assert read_together([_JOBS_WITHOUT_SHARE.bind()]) == [[]]
        assert read_together([_WRONG_PARENTS.bind()]) == [[]]


def assert_queue_is_sound() -> None:
    """Shares equal the jobs, nobody is above a limit, pictures and credits match."""
    assert_shares_equal_the_jobs()
    with acting_as(SERVICE):
        completed = GenerationJob.objects.filter(status="completed")
        pictures = list(Image.objects.values_list("job_id", flat=True))
        assert sorted(pictures) == sorted(completed.values_list("id", flat=True))
    assert audit_ledger() == []
