"""A queryset that is compiled once answers every caller for themselves."""

from __future__ import annotations

from uuid import UUID

import pytest

from accounts.models import User
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.compiled import FirstOf
from tests.cast import make_user

pytestmark = pytest.mark.django_db
of_name = FirstOf(
    lambda user_id, name: User.objects.filter(id=user_id, display_name=name),
    user_id=UUID(int=1),
    name="a name",
)


def test_it_answers_what_the_queryset_would_with_other_values():
    alice, bob = make_user("alice"), make_user("bob")
    for user in (alice, bob, alice):
        with acting_as(SERVICE):
            User.objects.filter(id=user.id).update(display_name=f"{user.id}'s")
        with acting_as(user_actor(user.id)):
            found = of_name(user_id=str(user.id), name=f"{user.id}'s")
            assert found == User.objects.get(id=user.id)
            assert found.created_at == User.objects.get(id=user.id).created_at
            assert of_name(user_id=user.id, name="another's") is None


def test_it_shows_nobody_what_the_policies_hide():
    alice, bob = make_user("alice"), make_user("bob")
    with acting_as(SERVICE):
        User.objects.filter(id=bob.id).update(display_name="bob")
    with acting_as(user_actor(alice.id)):
        assert of_name(user_id=bob.id, name="bob") is None
