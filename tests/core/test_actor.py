from __future__ import annotations

import pytest
from django.contrib.auth import authenticate

from accounts.models import User
from pingvas.core.db.actor import (
    SERVICE,
    ActorOutsideTransaction,
    acting_as,
    become,
    user_actor,
)
from tests.cast import PASSWORD, make_user
from tests.private_tables import PrivateTableWithoutActor


@pytest.mark.django_db
def test_a_user_sees_one_account_and_the_service_all():
    alice, bob = make_user("alice"), make_user("bob")
    with acting_as(user_actor(alice.id)):
        assert [user.email for user in User.objects.all()] == [alice.email]
    with acting_as(SERVICE):
        assert {user.id for user in User.objects.all()} == {alice.id, bob.id}


@pytest.mark.django_db
def test_a_private_table_without_an_actor_is_an_error_in_tests():
    with pytest.raises(PrivateTableWithoutActor):
        User.objects.count()


@pytest.mark.django_db
def test_sign_in_finds_the_account_by_any_spelling_of_the_address():
    alice = make_user("alice")
    assert authenticate(username="Alice@Example.com ", password=PASSWORD) == alice
    assert authenticate(username="alice@example.com", password="wrong") is None


@pytest.mark.django_db(transaction=True)
def test_an_actor_needs_a_transaction():
    with pytest.raises(ActorOutsideTransaction):
        become(SERVICE)
