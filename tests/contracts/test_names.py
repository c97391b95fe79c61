"""Names that stand in two places because one must not import the other."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.conf import settings

from accounts.tiers import Tier, limits_for
from generation import specs
from modelhub.models import BaseModel
from pingvas import celery, schedule
from pingvas.core import redis
from workers.engine.samplers import sampler_names
from workers.engine.specs import MAX_BATCH, MAX_STEPS, SEED_MAX

ID = UUID("00000000-0000-0000-0000-000000000001")


def test_the_tier_queues_are_declared_highest_first():
    tiers = sorted(Tier.values, key=lambda tier: -limits_for(tier).priority)
    assert [redis.tier_queue(tier) for tier in tiers] == celery.TIER_QUEUES


@pytest.mark.parametrize("base", BaseModel.values)
def test_the_api_knows_the_engines_samplers(base):
    assert set(specs.SAMPLERS[base]) == set(sampler_names(base))


def test_the_api_and_the_engine_agree_on_limits():
    assert (specs.LARGEST_SEED, specs.LARGEST_BATCH) == (SEED_MAX, MAX_BATCH)
    assert MAX_STEPS == 150


def test_every_scheduled_task_exists_and_every_queue_is_consumed():
    celery.app.autodiscover_tasks(settings.INSTALLED_APPS, force=True)
    assert {entry.task for entry in schedule.SCHEDULE} <= set(celery.app.tasks)
    declared = {queue.name for queue in celery.app.conf.task_queues}
    assert {entry.queue for entry in schedule.SCHEDULE} <= declared


@pytest.mark.parametrize(
    ("key", "specified"),
    [
        (redis.tier_queue("studio"), "queue:studio"),
        (redis.tier_queue("studio", "external"), "queue:studio:external"),
        (redis.job_status(ID), f"job:{ID}:status"),
        (redis.job_progress(ID), f"job:{ID}:progress"),
        (redis.token_blacklist("abc"), "session:blacklist:abc"),
        (redis.user_online(ID), f"user:{ID}:online"),
        (redis.generation_rate(ID), f"ratelimit:user:{ID}:generation"),
        (redis.api_rate("10.0.0.1"), "ratelimit:ip:10.0.0.1:api"),
        (redis.model_cache("flux-dev"), "model:cache:flux-dev"),
        (redis.model_download_lock("flux-dev"), "model:download:lock:flux-dev"),
    ],
)
def test_redis_keys_are_spelled_as_specified(key, specified):
    assert key == specified


def test_the_specified_times_to_live():
    assert redis.JOB_TTL_SECONDS == 3600
    assert redis.ONLINE_TTL_SECONDS == 300
    assert redis.GENERATION_WINDOW_SECONDS == 600
    assert redis.API_WINDOW_SECONDS == 60
    assert redis.MODEL_CACHE_TTL_SECONDS == 7 * 24 * 3600
    assert redis.MODEL_LOCK_TTL_SECONDS == 600
