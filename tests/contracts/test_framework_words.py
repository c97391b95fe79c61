"""What Django and its REST framework refuse on our behalf is Korean too."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import partial
from importlib import import_module

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation
from rest_framework import serializers

from accounts.admin_forms import AccountChangeForm, AccountCreationForm
from accounts.forms import GateForm, SignUpForm
from accounts.models import User
from billing.admin_forms import AdjustCreditsForm
from tests.cast import make_user

APPS = ("accounts", "billing", "gallery", "generation", "modelhub")
for app in APPS:
    import_module(f"{app}.api.views")
TYPED = [
    GateForm,
    SignUpForm,
    AdjustCreditsForm,
    AccountCreationForm,
    AccountChangeForm,
]
HANGUL = re.compile("[가-힣]")
PLACE = re.compile(r"\{[\w:]+\}|%\(\w+\)\w")
WRONG = {
    "model": "m" * 101,
    "prompt": " ",
    "negative_prompt": ["a list"],
    "width": 1,
    "height": 10**6,
    "steps": "many",
    "cfg_scale": "1e99",
    "sampler": None,
    "seeds": [1] * 9,
}


def kinds_of(kind):
    for each in kind.__subclasses__():
        if each.__module__.split(".")[0] in APPS:
            yield each
        yield from kinds_of(each)


READ = sorted(set(kinds_of(serializers.Serializer)), key=lambda kind: kind.__name__)


def fields_of(field):
    yield field
    for part in getattr(field, "fields", {}).values():
        if not part.read_only:
            yield from fields_of(part)
    if getattr(field, "child", None) is not None:
        yield from fields_of(field.child)


def words_of(kind):
    """Every refusal that a serializer or form can say, in the language of now."""
    is_form = hasattr(kind, "base_fields")
    for field in kind.base_fields.values() if is_form else fields_of(kind()):
        yield from map(str, field.error_messages.values())
        for validator in field.validators:
            # Words that depend on a number are none before they know it.
            yield str(validator.message % defaultdict(int))


@pytest.mark.parametrize("kind", READ + TYPED, ids=lambda kind: kind.__name__)
def test_every_refusal_is_korean_with_the_same_figures(kind):
    with translation.override("en"):
        english = list(words_of(kind))
    with translation.override("ko"):
        korean = list(words_of(kind))
    assert english
    for one, other in zip(english, korean, strict=True):
        assert HANGUL.search(other), one
        assert sorted(PLACE.findall(other)) == sorted(PLACE.findall(one)), one


def refusals(client, language):
    """What the API answers to requests that are wrong in every way it knows."""
    send = partial(client.generic, headers={"Accept-Language": language})
    answers = [
        send("POST", "/api/v1/jobs", json.dumps(WRONG), "application/json"),
        send("POST", "/api/v1/jobs", "<none/>", "text/xml"),
        send("POST", "/api/v1/jobs", "[]", "application/json"),
        send("PUT", "/api/v1/jobs"),
        send("GET", "/api/v1/jobs?status=none"),
        send("GET", "/api/v1/jobs?after=none&limit=x"),
        send(
            "GET",
            "/api/v1/images",
            headers={"Accept-Language": language, "Accept": "a/b"},
        ),
    ]
    for answer in answers:
        error = answer.json()["error"]
        yield error["message"]
        for words in error.get("fields", {}).values():
            yield from words


@pytest.mark.django_db
def test_the_api_refuses_in_the_language_of_each_request():
    client = Client()
    client.force_login(make_user("alice"))
    for language in ("en", "ko", "en", "ko"):
        said = list(refusals(client, language))
        assert len(said) > 15
        for words in said:
            assert bool(HANGUL.search(words)) == (language == "ko"), words


@pytest.mark.parametrize("password", ["short", "password", "8675309867530", "alice1"])
def test_a_weak_password_is_refused_in_korean(password):
    with translation.override("ko"), pytest.raises(ValidationError) as refusal:
        validate_password(password, User(email="alice1@example.com"))
    assert all(HANGUL.search(words) for words in refusal.value.messages)
