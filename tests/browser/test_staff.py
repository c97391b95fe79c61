"""The staff's console beside the studio: what staff do, users see at once."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import expect

from accounts.staff_groups import sync_staff_groups
from pingvas.core.db.actor import SERVICE, acting_as
from tests.browser.conftest import names
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.browser


@pytest.fixture
def finance():
    sync_staff_groups()
    member = make_user(
        f"finance{next(names)}", is_staff=True, display_name="Fay of the books"
    )
    with acting_as(SERVICE):
        member.groups.set(Group.objects.filter(name="finance"))
    return member


@pytest.fixture
def desk(visit, finance):
    """The console, signed in by its own form."""
    page = visit()
    page.goto("/admin/")
    page.get_by_label("Email").fill(finance.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title(re.compile("Dashboard"))
    return page


def open_account(desk, user):
    desk.get_by_role("link", name="Users").click()
    desk.locator("#searchbar").fill(user.email)
    desk.keyboard.press("Enter")
    desk.get_by_role("link", name=user.email).click()


def adjust(desk, amount, reason):
    desk.get_by_text("Adjust credits").click()
    dialog = desk.locator("#dialog")
    dialog.get_by_label("Credits").fill(str(amount))
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name="Adjust").click()
    return dialog


def test_staff_adjust_credits_and_the_user_sees_it_at_once(enter, desk, newcomer):
    studio = enter(newcomer, "/create")
    expect(studio.locator("#available")).to_have_text("300 available")
    open_account(desk, newcomer)

    dialog = adjust(desk, -400, "too much")
    expect(dialog).to_contain_text("The balance does not cover this change.")
    expect(studio.locator("#available")).to_have_text("300 available")

    dialog.get_by_label("Credits").fill("50")
    dialog.get_by_label("Reason").fill("a lost picture")
    dialog.get_by_role("button", name="Adjust").click()
    expect(desk.get_by_text("+50 credits. The balance is 350.")).to_be_visible()
    entry = desk.get_by_role("row", name="a lost picture")
    expect(entry).to_contain_text("+50")
    expect(entry).to_contain_text("Fay of the books")
    # Without a reload: the event `credits.changed` told it.
    expect(studio.locator("#available")).to_have_text("350 available")

    studio.goto("/credits")
    booked = studio.get_by_role("row", name="Adjusted by our staff")
    expect(booked).to_contain_text("+50")
    # The reason and the colleague's name stay with the staff.
    expect(studio.get_by_text("a lost picture")).to_have_count(0)
