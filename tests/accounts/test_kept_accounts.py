"""The accounts of a development machine are made, and renewed without harm."""

from __future__ import annotations

from functools import partial

import pytest

from accounts import services
from accounts.models import User
from accounts.services import keep_account
from pingvas.core.db.actor import SERVICE, acting_as
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db

EMAIL = "demo@example.com"
keep = partial(keep_account, email=EMAIL, display_name="Demo")


def stored():
    with acting_as(SERVICE):
        return User.objects.get(email=EMAIL)


def test_an_account_is_made_and_signs_in_with_its_password():
    made = keep(password=PASSWORD, is_staff=True)
    found = stored()
    assert found == made
    assert found.check_password(PASSWORD)
    assert (found.display_name, found.is_staff, found.is_superuser) == (
        "Demo",
        True,
        True,
    )


def test_the_same_password_keeps_its_hash_and_so_the_sessions():
    keep(password=PASSWORD)
    before = stored().password
    keep(password=PASSWORD)
    assert stored().password == before


def test_another_password_and_other_rights_take_the_place_of_the_old():
    keep(password=PASSWORD, is_staff=True)
    keep(password="another long password")
    found = stored()
    assert found.check_password("another long password")
    assert (found.is_staff, found.is_superuser) == (False, False)


def test_what_changed_meanwhile_is_not_written_back(monkeypatch):
    """Between the look at the row and the writing of it, somebody closes the account
    and somebody pays.
    """
    keep(password=PASSWORD)
    hash_anew = services.make_password

    def slowly(password):
        User.objects.filter(email=EMAIL).update(tier="pro", is_active=False)
        return hash_anew(password)

    monkeypatch.setattr(services, "make_password", slowly)
    keep(password="another long password")
    found = stored()
    assert (found.tier, found.is_active) == ("pro", False)
