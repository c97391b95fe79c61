"""Every page of the console keeps its own policy, and the policy keeps others out."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import RequestFactory
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from accounts.staff_groups import sync_staff_groups
from pingvas.core.db.actor import SERVICE, acting_as
from tests.browser.conftest import names
from tests.cast import make_user
from tests.staff.world import make_rows

pytestmark = pytest.mark.browser

HEARD = """() => {
  window.heard = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.heard.push(`${event.effectiveDirective} ${event.blockedURI}`));
}"""


@pytest.fixture(scope="module")
def boss(database):
    sync_staff_groups()
    call_command("sync_schedule", verbosity=0)
    return make_user(f"boss{next(names)}", is_staff=True, is_superuser=True)


@pytest.fixture(scope="module")
def rows(database):
    """A row of each model that has a page."""
    made = make_rows(f"rows{next(names)}")
    with acting_as(SERVICE):
        yield {type(row): row for row in vars(made).values()} | {
            Group: Group.objects.first()
        }
        # A worker that is gone would stay on the list of the living for a while.
        made.worker.delete()


@pytest.fixture
def desk(enter, boss):
    page = enter(boss, "/admin/")
    page.add_init_script(f"({HEARD})()")
    page.reload()
    return page


def pages_of(page, row, request):
    """Of one model: what is refused looks alike everywhere."""
    start = f"admin:{row._meta.label_lower.replace('.', '_')}"
    yield reverse(f"{start}_changelist")
    yield reverse(f"{start}_change", args=[row.pk])
    if page.has_add_permission(request):
        yield reverse(f"{start}_add")
    if page.has_delete_permission(request, row):
        yield reverse(f"{start}_delete", args=[row.pk])


def console_pages(rows, boss):
    """Addresses of every page: of the site, of an app and of each model."""
    for name in ("index", "password_change", "password_change_done"):
        yield reverse(f"admin:{name}")
    yield reverse("admin:app_list", args=["billing"])
    yield reverse("admin:auth_user_password_change", args=[rows[User].pk])
    yield reverse("admin:accounts_user_history", args=[rows[User].pk])
    # Refused, and unknown.
    yield reverse("admin:generation_worker_add")
    yield reverse("admin:accounts_user_change", args=[uuid4()])
    request = RequestFactory().get("/")
    request.user = boss
    for model, page in admin.site._registry.items():
        row = rows.get(model) or model.objects.first()
        assert row is not None, model
        yield from pages_of(page, row, request)


def test_no_page_breaks_its_policy(desk, rows, boss):
    broken = {}
    for address in console_pages(rows, boss):
        answer = desk.goto(address, wait_until="load")
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy, address
        # Its script has run: without it the package hides the page.
        expect(desk.locator("html")).not_to_have_attribute("x-cloak", "")
        if heard := desk.evaluate("window.heard"):
            broken[address] = heard
    assert broken == {}


def test_nor_does_what_lies_over_a_page(desk, rows):
    desk.goto(reverse("admin:accounts_user_change", args=[rows[User].pk]))
    desk.get_by_role("link", name="Adjust credits").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("Credits").fill("-1000000")
    dialog.get_by_label("Reason").fill("too much")
    dialog.get_by_role("button", name="Adjust").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    desk.goto(reverse("admin:index"))
    desk.keyboard.press("Control+k")
    expect(desk.get_by_role("searchbox")).to_be_focused()
    desk.keyboard.type("user")
    expect(desk.get_by_role("dialog").get_by_role("link").first).to_be_visible()
    assert desk.evaluate("window.heard") == []


@pytest.fixture
def stranger(chromium, web):
    """A browser whose complaints are what the test is about."""
    context = chromium.new_context(base_url=web)
    page = context.new_page()
    page.add_init_script(f"({HEARD})()")
    yield page
    context.close()


HARM = {
    "script-src-elem inline": "<script>window.harm = 1</script>",
    "script-src-elem http://127.0.0.1:1/x.js": (
        '<script src="http://127.0.0.1:1/x.js"></script>'
    ),
    "script-src-attr inline": '<img src="/nothing" onerror="window.harm = 1">',
    "style-src-elem inline": "<style>body { display: none }</style>",
    "img-src http://127.0.0.1:1/x.png": '<img src="http://127.0.0.1:1/x.png">',
    "frame-src http://127.0.0.1:1": '<iframe src="http://127.0.0.1:1/x"></iframe>',
    "object-src http://127.0.0.1:1": '<object data="http://127.0.0.1:1/x"></object>',
    "form-action http://127.0.0.1:1/?": '<form action="http://127.0.0.1:1/"></form>',
}
INSERT = """(markup) => document.body.append(
  document.createRange().createContextualFragment(markup))"""


def heard(page, count):
    """What the page heard once it was so much; `wait_for_function` would need eval."""
    deadline = time.monotonic() + 20
    while len(found := page.evaluate("window.heard")) < count:
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(50)
    return found


@pytest.mark.parametrize("path", ["/admin/login/", "/"])
def test_what_is_not_ours_does_not_run(stranger, path):
    stranger.goto(path)
    for markup in HARM.values():
        stranger.evaluate(INSERT, markup)
    stranger.evaluate("document.forms[document.forms.length - 1].submit()")
    assert sorted(heard(stranger, len(HARM))) == sorted(HARM)
    assert stranger.evaluate("window.harm") is None
