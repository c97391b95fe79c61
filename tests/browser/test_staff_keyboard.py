"""The staff's console without a mouse: its overlays are dialogs, its icons buttons."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from billing.services.holds import place_holds
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.factories import make_job
from tests.browser.conftest import names
from tests.cast import make_user

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
MANY = 40


@pytest.fixture
def boss():
    return make_user(f"boss{next(names)}", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(enter, boss):
    def _desk(path="/admin/", **options):
        page = enter(boss, path, **options)
        expect(page.locator("#main")).to_have_role("main")
        return page

    return _desk


@pytest.fixture
def waiting_job(newcomer):
    """Of a model that nobody has."""
    job = make_job(newcomer.id, quoted_credits=2)
    with acting_as(SERVICE):
        place_holds(user_id=newcomer.id, amounts={job.id: 2})
    return job


def focused(page):
    return page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def tab_to(page, target, key="Tab"):
    """Press `key` until `target` has the keyboard."""
    handle = target.element_handle()
    for _ in range(MANY):
        if handle.evaluate("(node) => node === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{target} is not reached; the keyboard is at {focused(page)}")


def expect_modal(page, name):
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    expect(dialog).to_have_attribute("aria-modal", "true")
    expect_focus_within(dialog)
    return dialog


def expect_focus_within(dialog):
    inside = "(node) => node.contains(document.activeElement)"
    assert dialog.evaluate(inside), focused(dialog.page)


def expect_held(page, dialog):
    """A round and more, in both directions, never leaves the dialog."""
    seen = set()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(MANY):
            page.keyboard.press(key)
            expect_focus_within(dialog)
            seen.add(focused(page))
    return seen


def expect_closed_by_escape(page, opener):
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_adjusting_credits_by_keyboard_alone(desk, newcomer):
    page = desk(f"/admin/accounts/user/{newcomer.id}/change/")
    opener = page.get_by_role("link", name="Adjust credits")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Adjust credits")
    # The field to fill in first, not the cross in the corner.
    expect(dialog.get_by_label("Credits")).to_be_focused()
    expect(dialog).to_have_accessible_description(re.compile("The ledger keeps"))
    assert len(expect_held(page, dialog)) == 5
    expect_closed_by_escape(page, opener)

    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Adjust credits")
    page.keyboard.type("-100000")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("too much")
    tab_to(page, dialog.get_by_role("button", name="Adjust"))
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("The balance does not cover")
    expect(dialog.get_by_label("Credits")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("7")
    tab_to(page, dialog.get_by_role("button", name="Adjust"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("+7 credits. The balance is 307.")).to_be_visible()


def test_a_question_without_fields_and_its_answer(desk, waiting_job):
    page = desk(f"/admin/generation/generationjob/{waiting_job.pk}/change/")
    opener = page.get_by_role("link", name="Cancel")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Cancel this job?")
    expect_held(page, dialog)
    tab_to(page, dialog.get_by_role("button", name="Close"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()

    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Cancel this job?")
    tab_to(page, dialog.get_by_role("button", name="Cancel the job"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job is cancelled.")).to_be_visible()


def test_searching_the_console(desk):
    page = desk()
    opener = page.get_by_role("button", name="Search apps and models")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Search")
    page.keyboard.type("Subscr")
    expect(dialog.get_by_role("link", name="Subscriptions")).to_be_visible()
    expect_held(page, dialog)
    expect_closed_by_escape(page, opener)

    page.keyboard.press("Space")
    expect_modal(page, "Search")
    page.keyboard.type("Subscr")
    expect(dialog.get_by_role("link", name="Subscriptions")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/billing/subscription/")


def test_filtering_a_list(desk):
    page = desk("/admin/accounts/user/")
    opener = page.get_by_role("button", name="Filters")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Filters")
    expect_held(page, dialog)
    expect_closed_by_escape(page, opener)
    page.keyboard.press("Space")
    tab_to(page, expect_modal(page, "Filters").get_by_role("link", name="Studio"))
    page.keyboard.press("Enter")
    page.wait_for_url("**tier__exact=studio*")


def test_the_menu_of_a_phone(desk):
    page = desk(viewport=PHONE)
    opener = page.get_by_role("button", name="Show or hide the menu")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = expect_modal(page, "Menu")
    expect_held(page, dialog)
    expect_closed_by_escape(page, opener)
    page.keyboard.press("Space")
    dialog = expect_modal(page, "Menu")
    tab_to(page, dialog.get_by_role("link", name="Jobs"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/generationjob/")


def test_theme_and_language_in_ones_own_menu(desk, boss):
    page = desk()
    opener = page.get_by_role("button", name=boss.email)
    tab_to(page, opener)
    expect(opener).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(opener).to_have_attribute("aria-expanded", "false")
    expect(opener).to_be_focused()
    dark = page.get_by_role("button", name="Dark")
    expect(dark).to_be_hidden()

    page.keyboard.press("Space")
    tab_to(page, dark, "Shift+Tab")
    page.keyboard.press("Space")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(page.locator("html")).to_have_class("dark")
    tab_to(page, page.get_by_role("button", name="한국어"))
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("대시보드"))


def test_tabs_by_arrows(desk, newcomer):
    page = desk(f"/admin/accounts/user/{newcomer.id}/change/")
    first = page.get_by_role("tab", name="Staff")
    tab_to(page, first)
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowRight")
    second = page.get_by_role("tab", name="Record")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text(str(newcomer.id))).to_be_visible()
