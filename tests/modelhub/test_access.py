"""Who may know of a model, and make pictures with it: the rule, and the policy."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from accounts.models import User
from modelhub.models import AIModel, ModelType
from modelhub.selectors import ModelNotFound, access_model, models_for, visible_to
from pingvas.core.db.actor import SERVICE, acting_as, user_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, User | None]:
    with acting_as(SERVICE):
        users = {
            name: User.objects.create_user(f"{name}@example.com", None)
            for name in ("alice", "bob")
        }
    return {**users, "nobody": None}


@pytest.fixture
def cases(people) -> list[AIModel]:
    """Every combination of what the rule looks at."""
    axes = product((True, False), (True, False), ModelType, people.values())
    with acting_as(SERVICE):
        return [
            AIModel.objects.create(
                name=f"model {number}",
                is_official=official,
                is_active=active,
                type=kind,
                uploaded_by_user=uploader,
                base_model="sd15",
                min_tier=None,
            )
            for number, (official, active, kind, uploader) in enumerate(axes)
        ]


def names(rows: Any) -> set[str]:
    return set(rows.values_list("name", flat=True))


def accessible(user: User, models: list[AIModel]) -> set[str]:
    found = set()
    for model in models:
        try:
            found.add(access_model(user, model.name).name)
        except ModelNotFound:
            continue
    return found


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_the_policy_and_the_rule_show_the_same_models(people, cases, name):
    user = people[name]
    with acting_as(user_actor(user.id)):
        by_policy = names(AIModel.objects.all())
    with acting_as(SERVICE):
        by_rule = names(AIModel.objects.filter(visible_to(user.id)))
    assert by_policy == by_rule
    official = sum(model.is_official for model in cases)
    assert official < len(by_rule) < len(cases)


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_what_is_listed_may_be_used_and_nothing_else(people, cases, name):
    user = people[name]
    # As the service: no policy lends a hand.
    with acting_as(SERVICE):
        listed = names(models_for(user))
        assert accessible(user, cases) == listed
    by_hand = {
        model.name
        for model in cases
        if (model.is_official or model.uploaded_by_user_id == user.id)
        and model.is_active
        and model.type == ModelType.MAIN
    }
    assert listed == by_hand != set()
