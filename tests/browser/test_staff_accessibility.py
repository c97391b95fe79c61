"""axe-core finds nothing in the staff's console: all rules, both themes and widths."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.core.management import call_command
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from playwright.sync_api import expect

from accounts.models import User
from accounts.staff_groups import sync_staff_groups
from billing.models import CreditHold, CreditTransaction, Subscription
from gallery.models import Image
from generation.models import GenerationJob, Worker
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from tests.billing.factories import make_job
from tests.browser.conftest import names
from tests.cast import make_user
from tests.staff.world import list_page, make_rows, row_page

pytestmark = pytest.mark.browser

THEMES = {"light": False, "dark": True}
WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
# The console's own switch: a class, without a reload that would close what is open.
DARK = "(dark) => document.documentElement.classList.toggle('dark', dark)"
AXE = "() => axe.run(document, { resultTypes: ['violations'] })"
LISTS = (
    *(User, GenerationJob, Image, AIModel, Worker, CreditTransaction, CreditHold),
    *(Subscription, PeriodicTask, IntervalSchedule, CrontabSchedule),
)


@pytest.fixture(scope="module")
def boss(database):
    sync_staff_groups()
    call_command("sync_schedule", verbosity=0)
    return make_user(f"boss{next(names)}", is_staff=True, is_superuser=True)


@pytest.fixture(scope="module")
def rows(database):
    """One of everything, also a job that failed; nothing that a worker would take."""
    made = make_rows(f"rows{next(names)}")
    yield made, _failed_job(made.user)
    with acting_as(SERVICE):
        # A worker that is gone would stay on the list of the living for a while.
        made.worker.delete()


def _failed_job(user):
    return make_job(
        user.id,
        "failed",
        error_code="out_of_memory",
        error_message="CUDA out of memory",
        started_at=Now(),
        completed_at=Now(),
        timings={"denoising": 1200},
    )


@pytest.fixture
def desk(enter, boss):
    page = enter(boss, "/admin/", reduced_motion="reduce")
    page.evaluate(AXE_SCRIPT)
    return page


def faults(page):
    """What axe finds wrong, by theme and width, as short lines."""
    found = []
    for name, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme, dark in THEMES.items():
            page.evaluate(DARK, dark)
            for rule in page.evaluate(AXE)["violations"]:
                places = [" ".join(map(str, node["target"])) for node in rule["nodes"]]
                found.append(f"{theme} {name}: {rule['id']} at {', '.join(places)}")
    page.evaluate(DARK, THEMES["light"])
    return found


def assert_accessible(page, addresses):
    found = {}
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.evaluate(AXE_SCRIPT)
        found[address] = faults(page)
    assert {address: said for address, said in found.items() if said} == {}


def test_the_door(visit):
    page = visit(reduced_motion="reduce")
    assert_accessible(page, ["/admin/login/"])
    page.get_by_label("Email").fill("nobody@example.com")
    page.locator("#id_password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct")).to_be_visible()
    page.evaluate(AXE_SCRIPT)
    assert faults(page) == []


def test_the_dashboard_and_the_lists(desk, rows):
    dashboard = reverse("admin:index")
    nobody = [f"{list_page(GenerationJob)}?q=nobody@example.com"]
    assert_accessible(desk, [dashboard, *map(list_page, LISTS), *nobody])


def test_the_pages_of_rows(desk, rows):
    made, failed = rows
    mine = [made.user, made.job, made.image, made.model, made.worker, made.posting]
    each = [*mine, made.hold, made.subscription, failed, *_plans()]
    assert_accessible(desk, [row_page(row) for row in each])


def _plans():
    with acting_as(SERVICE):
        timetable = (
            PeriodicTask.objects.filter(crontab__isnull=False).first(),
            IntervalSchedule.objects.first(),
            CrontabSchedule.objects.first(),
        )
    yield from timetable


def test_forms_questions_and_records(desk, rows):
    made, _failed = rows
    added = ("accounts_user", "auth_group", "django_celery_beat_periodictask")
    user = made.user
    others = [
        *(reverse(f"admin:{name}_add") for name in added),
        reverse("admin:auth_user_password_change", args=[user.pk]),
        reverse("admin:password_change"),
        reverse("admin:app_list", args=["billing"]),
        row_page(made.image, "delete"),
        row_page(user, "history"),
    ]
    assert_accessible(desk, others)
    desk.goto(reverse("admin:accounts_user_add"))
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_text("Please correct the error")).to_be_visible()
    desk.evaluate(AXE_SCRIPT)
    assert faults(desk) == []


def test_what_lies_over_a_page(desk, rows):
    made, _failed = rows
    desk.goto(row_page(made.user))
    desk.get_by_role("link", name="Adjust credits").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("Credits").fill("-1000000")
    dialog.get_by_label("Reason").fill("too much")
    dialog.get_by_role("button", name="Adjust").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    desk.evaluate(AXE_SCRIPT)
    assert faults(desk) == []

    desk.goto(list_page(GenerationJob))
    desk.set_viewport_size({"width": 1280, "height": 900})
    desk.get_by_role("button", name="Filters").click()
    expect(desk.get_by_role("dialog", name="Filters")).to_be_visible()
    desk.evaluate(AXE_SCRIPT)
    assert faults(desk) == []
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("dialog")).to_have_count(0)

    desk.keyboard.press("Control+k")
    expect(desk.get_by_role("searchbox")).to_be_focused()
    desk.keyboard.type("user")
    expect(desk.get_by_role("dialog").get_by_role("link")).to_have_count(1)
    assert faults(desk) == []


def test_the_menus(desk, boss):
    desk.get_by_role("button", name=boss.email).click()
    expect(desk.get_by_role("button", name="Dark")).to_be_visible()
    assert faults(desk) == []
    desk.keyboard.press("Escape")
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.get_by_role("button", name="Show or hide the menu").click()
    expect(desk.get_by_role("dialog", name="Menu")).to_be_visible()
    assert faults(desk) == []


LONG = "a-person-with-a-really-long-address-indeed"


@pytest.fixture
def long_names(database):
    """What real lists have now and then: names that hardly end."""
    user = make_user(
        f"{LONG}{next(names)}", display_name="Aloysius Wolfeschlegelsteinhausen"
    )
    model = "stable-diffusion-xl-base-1.0-fp16-with-a-long-name"
    figures = {"width": 1024, "height": 1536, "quoted_credits": 1234}
    over = {"error_code": "deadline_exceeded", "completed_at": Now(), "model": model}
    make_job(user.id, "failed", tier="enterprise", **figures, **over)
    return user


def test_nothing_lies_beyond_the_edge(desk, rows, long_names):
    """Neither of the page on a phone nor of a list on a desktop."""
    made, failed = rows
    pages = [*map(list_page, LISTS), *map(row_page, (long_names, made.job, failed))]
    beyond = []
    for address in (reverse("admin:index"), *pages):
        desk.goto(address)
        for name, (width, height) in WIDTHS.items():
            desk.set_viewport_size({"width": width, "height": height})
            if width_of(desk, "html") > width:
                beyond.append((address, name))
        if desk.locator("#result_list").count():
            table = width_of(desk, "#result_list")
            if table > width_of(desk, ".simplebar-content:has(> #result_list)"):
                beyond.append((address, "a column"))
    assert beyond == []


def width_of(page, selector):
    return page.locator(selector).evaluate("(node) => node.scrollWidth")
