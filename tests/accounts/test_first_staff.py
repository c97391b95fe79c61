"""An operator lets the first member of staff in."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)


def make(email):
    call_command("createsuperuser", interactive=False, email=email, verbosity=0)


def test_a_superuser_made_by_command_signs_in_to_the_console(client):
    make("Boss@Example.com")
    form = {"username": "boss@example.com", "password": PASSWORD}
    client.post(reverse("admin:login"), form)
    assert client.get(reverse("admin:index")).context["user"].is_superuser


def test_a_second_account_with_the_address_is_refused_in_words():
    make("boss@example.com")
    with pytest.raises(CommandError, match="already taken"):
        make("BOSS@example.com")
