"""Names that stand in two places because one must not import the other, and those of
the specification.
"""

from __future__ import annotations

import re

from django.conf import settings

from accounts.tiers import Tier, limits_for
from modelhub.models import BaseModel
from pingvas import celery, schedule
from pingvas.core import redis
from pingvas.recipe.samplers import SAMPLERS
from tests.contracts.catalog import HERE

# The specification's part about Redis, word for word.
SPECIFICATION = (HERE / "specification.txt").read_text(encoding="utf-8")


def test_the_tier_queues_are_declared_highest_first():
    tiers = sorted(Tier.values, key=lambda tier: -limits_for(tier).priority)
    assert [redis.tier_queue(tier) for tier in tiers] == celery.TIER_QUEUES


def test_every_base_has_samplers():
    assert set(SAMPLERS) == set(BaseModel.values)


def test_every_scheduled_task_exists_and_every_queue_is_consumed():
    celery.app.autodiscover_tasks(settings.INSTALLED_APPS, force=True)
    assert {entry.task for entry in schedule.SCHEDULE} <= set(celery.app.tasks)
    declared = {queue.name for queue in celery.app.conf.task_queues}
    assert {entry.queue for entry in schedule.SCHEDULE} <= declared


KEY = re.compile(r"[a-z]+(?::[\w{}-]+)+(?= |$)")
LIFE = re.compile(r"# TTL: (?:(\d+)(분|시간|일))?")
SECONDS = {"분": 60, "시간": 3600, "일": 24 * 3600}
PRIORITY = re.compile(r"^(queue:\w+) +\(Priority (\d+)\)", re.M)


def specified_keys():
    """How many seconds each key of the specification lives; None where it says none."""
    found, named = {}, []
    for line in SPECIFICATION.splitlines():
        if key := KEY.match(line):
            named.append(key[0])
            found[key[0]] = None
        elif life := LIFE.match(line):
            if life[1]:
                found |= dict.fromkeys(named, int(life[1]) * SECONDS[life[2]])
            named = []
        elif line.startswith("```"):
            named = []
    return found


def test_redis_keys_are_spelled_and_live_as_specified():
    assert specified_keys() == {
        **{redis.tier_queue(tier): None for tier in Tier.values},
        redis.job_status("{job_id}"): redis.JOB_TTL_SECONDS,
        redis.job_progress("{job_id}"): redis.JOB_TTL_SECONDS,
        # Until the token ends by itself.
        redis.token_blacklist("{token_jti}"): None,
        redis.user_online("{user_id}"): redis.ONLINE_TTL_SECONDS,
        redis.generation_rate("{user_id}"): redis.GENERATION_WINDOW_SECONDS,
        redis.api_rate("{ip_address}"): redis.API_WINDOW_SECONDS,
        redis.model_cache("flux-dev"): redis.MODEL_CACHE_TTL_SECONDS,
        redis.model_cache("sdxl-base"): redis.MODEL_CACHE_TTL_SECONDS,
        redis.model_download_lock("flux-dev"): redis.MODEL_LOCK_TTL_SECONDS,
    }


def test_the_tier_queues_have_the_specified_priorities():
    ours = {redis.tier_queue(tier): limits_for(tier).priority for tier in Tier.values}
    assert ours == {queue: int(n) for queue, n in PRIORITY.findall(SPECIFICATION)}
