"""From a wish to a job in the queue, with its credits held: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from django.utils.translation import gettext_lazy as _

from accounts.limits import count_generation
from accounts.models import User
from accounts.tiers import limits_for
from billing.services.holds import place_holds
from generation.events import JobQueued
from generation.models import GenerationJob, InputRole
from generation.needs import bytes_of, modules_for
from generation.pricing import Quote, quote_picture
from generation.recipes import check_recipe
from generation.selectors import serving_speed
from generation.services.inputs import NamedInput, record_inputs, refuse_unseen
from generation.services.lifecycle import announce
from generation.services.queue import open_share, refresh
from generation.services.wake import RUN_TASK, wake_tiers_on_commit
from generation.states import QUEUED, TERMINAL
from modelhub.models import AIModel
from modelhub.selectors import access_model
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.rows import insert_rows, read_together
from pingvas.core.db.statements import Statement
from pingvas.core.errors import PingvasError
from pingvas.core.publishing import send_task_on_commit
from pingvas.core.redis import tier_queue
from pingvas.log import current_request_id
from pingvas.recipe.recipe import Recipe


class QueueFull(PingvasError):
    code = "queue_full"
    status = 429
    message = _("You have as many submissions waiting as your plan allows.")


class JobNotFinished(PingvasError):
    code = "job_not_finished"
    status = 409
    message = _("This job has not ended yet.")


def quote_jobs(*, user: User, recipe: Recipe) -> Quote:
    """Price `recipe` for `user`, who acts, checked as a submission is. Writes nothing.

    Raises ModelNotFound, ModelNotInTier, InvalidRequest, InputNotFound.
    """
    model = access_model(user, recipe.model)
    quote = _quote(user, _sized(user, recipe, model), model)
    if inputs := _inputs(recipe):
        refuse_unseen(user=user, inputs=inputs)
    return quote


def submit_jobs(
    *, user: User, recipe: Recipe, retried_from: UUID | None = None
) -> list[GenerationJob]:
    """Queue one job for each seed and hold their credits, all or none.

    Counts against the tier's ten minutes first (ServiceUnavailable while Redis is
    away). Acts as the service from then on. Locks the user's queue, then the balance.
    Raises ModelNotFound, ModelNotInTier, InvalidRequest, QueueFull, InputNotFound,
    InsufficientCredits.
    """
    model = access_model(user, recipe.model)
    recipe = _sized(user, recipe, model)
    quote = _quote(user, recipe, model)
    sampler = recipe.resolved_sampler(model.base_model or "")
    count_generation(user_id=user.id, tier=user.tier)
    with acting_as(SERVICE, savepoint=False):
        limit = limits_for(user.tier).waiting
        if open_share(user.id, user.tier) >= limit:
            raise QueueFull(limit=limit)
        jobs = _jobs(user, replace(recipe, sampler=sampler), quote, retried_from)
        _freeze_needs(jobs, recipe, model)
        insert_rows(GenerationJob, jobs)
        _record_inputs(user, recipe, jobs)
        place_holds(user_id=user.id, amounts={job.id: quote.credits for job in jobs})
        places = _queue(user, jobs)
        for job in jobs:
            announce(job, JobQueued, hold=quote.credits, attempt=0)
        send_task_on_commit(
            RUN_TASK,
            queue=tier_queue(user.tier, jobs[0].lane),
            kwargs={"job_id": str(jobs[0].id), "user_id": str(user.id)},
        )
        wake_tiers_on_commit(jobs[0].lane, places)
    return jobs


_QUEUE = Statement("""
    UPDATE generation_jobs SET status = 'queued', queued_at = now()
    WHERE id = ANY(%(jobs)s) RETURNING now()
""")


def _queue(user: User, jobs: Sequence[GenerationJob]) -> list[tuple[bool, ...]]:
    """Make the new jobs claimable, as the objects then say too; the user's places."""
    queued = _QUEUE.bind(jobs=[job.id for job in jobs])
    [[now], *_], places = read_together([queued, refresh(user.id)])
    for job in jobs:
        job.status = QUEUED
        job.created_at = job.queued_at = now
        # There is no picture yet, and nobody needs to ask for one.
        job._state.fields_cache["image"] = None
    return places


def retry_job(*, user: User, job: GenerationJob) -> list[GenerationJob]:
    """Submit an ended job once more, as a new job with a hold of its own."""
    if job.status not in TERMINAL:
        raise JobNotFinished
    recipe = Recipe.of_row(job, seeds=(job.seed,))
    return submit_jobs(user=user, recipe=recipe, retried_from=job.id)


def _record_inputs(user: User, recipe: Recipe, jobs: Sequence[GenerationJob]) -> None:
    inputs = _inputs(recipe)
    if not inputs:
        return
    # What somebody may not see is not found, by the policies as well.
    with acting_as(user_actor(user.id), savepoint=False):
        record_inputs(user=user, job_ids=[job.id for job in jobs], inputs=inputs)


def _inputs(recipe: Recipe) -> list[NamedInput]:
    return [
        NamedInput(role=InputRole(role), position=place, image_id=image_id)
        for role, place, image_id in recipe.pictures
    ]


def _freeze_needs(
    jobs: Sequence[GenerationJob], recipe: Recipe, model: AIModel
) -> None:
    """What the worker must have, as it is known now: a claim looks at no model."""
    for job in jobs:
        job.needs = modules_for(model, recipe.modules)
        job.needs_bytes = bytes_of(model)


def _sized(user: User, recipe: Recipe, model: AIModel) -> Recipe:
    longest_side = limits_for(user.tier).longest_side
    return recipe.sized_for(native_side=model.native_side, longest_side=longest_side)


def _quote(user: User, recipe: Recipe, model: AIModel) -> Quote:
    base_model = model.base_model or ""
    longest_side = limits_for(user.tier).longest_side
    check_recipe(recipe, base_model=base_model, longest_side=longest_side)
    speed = serving_speed(tier=user.tier, model=model)
    return quote_picture(recipe, speed)


def _jobs(
    user: User, recipe: Recipe, quote: Quote, retried_from: UUID | None
) -> list[GenerationJob]:
    batch_id = uuid4()
    seeds = zip(recipe.seeds, recipe.resolved_seeds(), strict=True)
    return [
        GenerationJob(
            user_id=user.id,
            tier=user.tier,
            priority=limits_for(user.tier).priority,
            **recipe.columns,
            seed=seed,
            resolved_seed=resolved,
            # One pass is one submission: the row's trigger makes it.
            submission_id=batch_id,
            batch_id=batch_id,
            batch_index=index,
            batch_size=len(recipe.seeds),
            quoted_credits=quote.credits,
            retried_from_id=retried_from,
            request_id=current_request_id(),
        )
        for index, (seed, resolved) in enumerate(seeds)
    ]
