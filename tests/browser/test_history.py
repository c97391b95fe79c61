"""The history of credits, as far back as it goes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from billing.views import ROWS
from tests.browser.studio import book

pytestmark = pytest.mark.browser

OLDER = "**/credits?before=*"


@pytest.fixture
def booked(newcomer):
    """One line for each amount; the oldest is the free month's."""
    for amount in range(1, 2 * ROWS + 3):
        book(newcomer, amount)
    return newcomer


def changes(page):
    """The change of each line, newest first."""
    lines = page.locator(".history tbody tr td:nth-last-child(2)").all_inner_texts()
    return [int(line.strip().replace(",", "")) for line in lines]


def count(page, lines):
    expect(page.locator(".history tbody tr")).to_have_count(lines)


def test_older_lines_come_below_the_newer_ones(enter, booked):
    page = enter(booked, "/credits")
    older = page.get_by_role("link", name="Older")
    count(page, ROWS)
    older.click()
    count(page, 2 * ROWS)
    # By number of the page, this one would push a line onto the next.
    book(booked, 500)
    older.press("Enter")
    count(page, 2 * ROWS + 3)
    assert changes(page) == [*range(2 * ROWS + 2, 0, -1), 300]
    for zone in page.locator(".history tbody td:first-child time").all():
        expect(zone).to_have_text(re.compile(r"\d{4}, \d+:\d\d [AP]M$"))
    expect(older).to_have_count(0)
    expect(page).to_have_url("/credits")


def test_older_lines_that_do_not_come_are_asked_for_again(enter, booked):
    page = enter(booked, "/credits")
    page.route(OLDER, lambda route: route.abort())
    page.get_by_role("link", name="Older").click()
    fault = page.get_by_role("alert")
    expect(fault).to_contain_text("No connection. Try again.")
    page.unroute(OLDER)
    fault.get_by_role("button", name="Try again").click()
    count(page, 2 * ROWS)
    expect(fault).to_be_hidden()


def test_without_scripts_older_lines_have_a_page_of_their_own(enter, booked):
    page = enter(booked, "/credits", java_script_enabled=False)
    page.get_by_role("link", name="Older").click()
    assert changes(page) == list(range(ROWS + 2, 2, -1))


def test_whoever_was_signed_out_meanwhile_comes_to_the_sign_in_page(enter, booked):
    page = enter(booked, "/credits")
    page.context.clear_cookies()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
