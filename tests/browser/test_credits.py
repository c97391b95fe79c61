"""The Credits page: moments where the reader is, and figures that follow the jobs."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from billing.selectors import transactions_for
from pingvas.core.db.actor import SERVICE, acting_as
from tests.browser.studio import SLOW_STEPS

pytestmark = pytest.mark.browser

SEOUL = {"timezone_id": "Asia/Seoul"}


def figure(page, name):
    text = page.locator(f'[data-figure="{name}"]').inner_text()
    return int(text.replace(",", ""))


def newest(person, zone):
    with acting_as(SERVICE):
        return transactions_for(person.id)[0].created_at.astimezone(ZoneInfo(zone))


def test_moments_are_told_in_the_readers_zone_and_language(enter, person):
    moment = newest(person, "Asia/Seoul")
    page = enter(person, "/credits", **SEOUL)
    first = page.locator("tbody tr").first
    expect(first.locator("time").first).to_have_text(
        f"{moment:%b} {moment.day}, {moment.year}, {moment:%I:%M %p}".replace(
            ", 0", ", "
        )
    )
    header = page.get_by_role("columnheader").first
    expect(header).to_have_text("When", use_inner_text=True)
    korean = enter(person, "/credits", locale="ko-KR", **SEOUL)
    half = "오전" if moment.hour < 12 else "오후"
    expect(korean.locator("tbody time").first).to_have_text(
        f"{moment.year}. {moment.month}. {moment.day}. {half} "
        f"{moment.hour % 12 or 12}:{moment:%M}"
    )


def test_without_scripts_the_moments_are_utc_and_say_so(enter, person):
    moment = newest(person, "UTC")
    page = enter(person, "/credits", java_script_enabled=False, **SEOUL)
    expect(page.get_by_role("columnheader").first).to_have_text("When (UTC)")
    expect(page.locator("tbody time").first).to_contain_text(f"{moment:%m/%d/%Y}")


def test_figures_and_history_follow_a_job_as_it_runs(studio):
    one = studio()
    credits = one.page.context.new_page()
    credits.goto("/credits")
    # By hand from here on: nothing reloads this page.
    credits.evaluate("window.isSame = true")
    expect(credits.locator("tbody tr")).to_have_count(2)
    before = figure(credits, "balance")
    one.ask("watched from the books", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    expect(credits.locator('[data-figure="held"]')).not_to_have_text("0")
    assert figure(credits, "available") == before - figure(credits, "held")
    assert figure(credits, "balance") == before
    one.expect_done()

    rows = credits.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(credits.locator('[data-figure="held"]')).to_have_text("0")
    charge = int(re.search(r"\d+", one.card.locator(".job-charge").inner_text())[0])
    assert figure(credits, "balance") == before - charge
    assert figure(credits, "available") == before - charge
    expect(credits.locator('[data-figure="used_this_month"]')).to_have_text(str(charge))
    expect(rows.first).to_contain_text(f"−{charge}")
    expect(rows.first.locator("[data-utc]")).to_be_hidden()
    assert credits.evaluate("window.isSame")
    rows.first.get_by_role("link", name="watched from the books").click()
    expect(credits.locator("h1")).to_have_text("watched from the books")
    expect(credits.locator("#receipt")).to_contain_text(f"Charged{charge} credit")


def test_a_phone_shows_the_moment_below_what_it_is_about(enter, person):
    page = enter(person, "/credits", viewport={"width": 390, "height": 844})
    first = page.locator("tbody tr").first
    expect(first.locator("time").first).to_be_hidden()
    expect(first.locator(".below time")).to_be_visible()
    expect(first.locator(".below time")).to_have_text(
        re.compile(r"\d{4}, \d+:\d\d [AP]M")
    )
