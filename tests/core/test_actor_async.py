"""Consumers and tasks take the actor by the same call as requests."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from celery import shared_task
from channels.db import database_sync_to_async

from accounts.models import User
from pingvas.core.db.actor import NOBODY, acting_as, current_actor, user_actor
from tests.cast import make_user


def emails_for(user_id: UUID) -> list[str]:
    with acting_as(user_actor(user_id)):
        return [user.email for user in User.objects.all()]


@pytest.mark.django_db(transaction=True)
def test_consumers_side_by_side_each_act_for_their_own_user():
    users = [make_user(f"user{number}") for number in range(4)] * 5

    async def consume(user: User) -> list[str]:
        seen = await database_sync_to_async(emails_for, thread_sensitive=False)(user.id)
        # What the thread entered must not come back with its context.
        assert current_actor() == NOBODY
        return seen

    async def consume_all() -> list[list[str]]:
        return await asyncio.gather(*map(consume, users))

    assert asyncio.run(consume_all()) == [[user.email] for user in users]


@pytest.mark.django_db(transaction=True)
def test_a_task_that_fails_leaves_no_actor_for_the_next_one():
    alice = make_user("alice")

    @shared_task
    def fail(user_id: str) -> None:
        with acting_as(user_actor(user_id)):
            raise LookupError

    assert fail.apply(args=[str(alice.id)]).state == "FAILURE"
    assert current_actor() == NOBODY
    assert emails_for(alice.id) == [alice.email]
