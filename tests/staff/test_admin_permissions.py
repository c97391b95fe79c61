"""Every address of the console, for every role: who gets in, and who does not."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from accounts.models import User
from billing.models import CreditHold, CreditTransaction, Subscription
from gallery.models import Image
from generation.models import GenerationJob, Worker
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from tests.staff.world import make_rows, staff_client

pytestmark = pytest.mark.django_db

# What a role may do with each model. See: the list, a row and its history.
SEE, CHANGE, ADD, DELETE = "see", "change", "add", "delete"
TIMETABLE = {SEE, CHANGE, ADD, DELETE}
RIGHTS = {
    "superuser": {
        User: {SEE, CHANGE, ADD, "adjust", "password"},
        Group: {SEE, CHANGE, ADD, DELETE},
        GenerationJob: {SEE, "cancel", "retry"},
        Worker: {SEE},
        Image: {SEE, DELETE},
        AIModel: {SEE, CHANGE},
        CreditTransaction: {SEE},
        CreditHold: {SEE},
        Subscription: {SEE},
        PeriodicTask: TIMETABLE,
        IntervalSchedule: TIMETABLE,
        CrontabSchedule: TIMETABLE,
    },
    "support": {
        User: {SEE, CHANGE},
        GenerationJob: {SEE, "cancel", "retry"},
        Worker: {SEE},
        Image: {SEE, DELETE},
        AIModel: {SEE},
        CreditTransaction: {SEE},
        CreditHold: {SEE},
        Subscription: {SEE},
    },
    "finance": {
        User: {SEE, "adjust"},
        GenerationJob: {SEE},
        CreditTransaction: {SEE},
        CreditHold: {SEE},
        Subscription: {SEE},
    },
    "nobody": {},
}
# The right that an address asks for, by the end of its name.
PAGES = {
    "changelist": SEE,
    "change": SEE,
    "history": SEE,
    "add": ADD,
    "delete": DELETE,
    "adjust": "adjust",
    "cancel": "cancel",
    "retry": "retry",
    "password_change": "password",
}
# Of the site itself, open to all staff: they show what the role may see anyway.
OPEN = {"index", "logout", "password_change", "password_change_done", "jsi18n"}
OPEN |= {"search", "autocomplete", "app_list", "view_on_site", "login"}
OPEN |= {"theme"}


@pytest.fixture
def rows():
    """One row of everything, by its model."""
    call_command("sync_schedule", verbosity=0)
    made = {type(row): row for row in vars(make_rows("alice")).values()}
    staff_client("unused", "support")
    with acting_as(SERVICE):
        for model in (Group, IntervalSchedule, CrontabSchedule):
            made[model] = model.objects.first()
        # One of staff's own: what the house declared cannot be deleted.
        made[PeriodicTask] = PeriodicTask.objects.create(
            name="by hand", task="none", interval=made[IntervalSchedule]
        )
    return made


def client_of(role):
    if role == "superuser":
        return staff_client("someone", superuser=True)
    return staff_client("someone", *([] if role == "nobody" else [role]))


def addresses():
    """(model, page, name) of everything that belongs to a model."""
    for model, page in admin.site._registry.items():
        for pattern in page.get_urls():
            if pattern.name is not None:
                yield model, _page(model, pattern.name), pattern.name


def _page(model, name):
    label = model._meta.label_lower.replace(".", "_")
    # Django names this one after its own model of users.
    return name.removeprefix(f"{label}_").removeprefix("auth_user_")


def address_of(page, name, row):
    needs_row = page not in ("changelist", "add")
    return reverse(f"admin:{name}", args=[row.pk] if needs_row else [])


def test_no_address_of_the_console_is_forgotten_here():
    assert {page for _model, page, _name in addresses()} == set(PAGES)
    assert set(admin.site._registry) == set(RIGHTS["superuser"])
    urls = admin.site.urls[0]
    named = {one.name for one in urls if getattr(one, "name", None) is not None}
    assert named == OPEN


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_opens_exactly_the_pages_it_has_a_right_to(role, rows):
    client = client_of(role)
    opened, refused = set(), set()
    for model, page, name in addresses():
        answer = client.get(address_of(page, name, rows[model]))
        assert answer.status_code in (200, 403), (name, answer.status_code)
        (opened if answer.status_code == 200 else refused).add((model, page))
    allowed = RIGHTS[role]
    assert opened == {
        (model, page)
        for model, page in opened | refused
        if PAGES[page] in allowed.get(model, set())
    }


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_writes_nothing_it_has_no_right_to(role, rows):
    client = client_of(role)
    before = _everything(rows)
    for model, page, name in addresses():
        right = CHANGE if page == "change" else PAGES[page]
        if right in RIGHTS[role].get(model, set()) or page in ("changelist", "history"):
            continue
        form = {"post": "yes", "_form_submitted": "on", "key": uuid4(), "amount": 5}
        form |= {"reason": "x", "name": "x", "email": "x@example.com", "is_staff": "on"}
        answer = client.post(address_of(page, name, rows[model]), form)
        assert answer.status_code == 403, (name, answer.status_code)
    assert _everything(rows) == before


def _everything(rows):
    """Every value of every row, and how many rows there are."""
    with acting_as(SERVICE):
        return {
            model: (model.objects.count(), model.objects.filter(pk=row.pk).values()[0])
            for model, row in rows.items()
        }


@pytest.mark.parametrize("visitor", ["stranger", "user", "closed", "signed out"])
def test_whoever_is_no_staff_is_led_to_the_sign_in(visitor, rows):
    client = Client() if visitor == "stranger" else client_of("superuser")
    with acting_as(SERVICE):
        someone = User.objects.filter(email="someone@example.com")
        if visitor == "user":
            someone.update(is_staff=False)
        if visitor == "closed":
            someone.update(is_active=False)
    if visitor == "signed out":
        assert client.post(reverse("admin:logout")).status_code == 200
    pages = [address_of(page, name, rows[model]) for model, page, name in addresses()]
    for address in [*pages, reverse("admin:index"), reverse("admin:search")]:
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code == 302, address
            assert answer["Location"].startswith(reverse("admin:login"))


def test_a_form_from_another_site_is_refused(rows):
    boss = client_of("superuser")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    for model, page, name in addresses():
        answer = strict.post(address_of(page, name, rows[model]), {"post": "yes"})
        assert answer.status_code == 403, name
    assert strict.post(reverse("admin:login"), {}).status_code == 403


@pytest.mark.parametrize("role", ["support", "finance", "nobody"])
def test_the_search_finds_no_page_that_the_role_may_not_open(role, rows):
    client = client_of(role)
    for word in ("e", "o", "i", "s"):
        for extended in ({}, {"extended": "1"}):
            answer = client.get(reverse("admin:search"), {"s": word, **extended})
            links = [str(found.link) for found in answer.context["results"]]
            for link in filter(None, links):
                assert client.get(link).status_code == 200, link
