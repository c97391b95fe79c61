"""Jobs while they run: watched, left, stopped, and without a live connection."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.studio import DRAWN, SLOW_STEPS, Studio

pytestmark = pytest.mark.browser


def test_a_reload_in_mid_job_goes_on_where_the_job_is(studio):
    one = studio()
    one.ask("a slow picture", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    expect(one.card.locator("img.preview")).to_be_visible(timeout=30_000)
    seen = one.step
    one.page.reload()
    expect(one.card.locator("h3")).to_have_text("a slow picture")
    one.expect_running()
    assert one.step >= seen
    expect(one.page.locator("#prompt")).to_have_value("a slow picture")
    expect(one.page.locator("#steps")).to_have_value(str(SLOW_STEPS))
    one.cancel()


def test_a_second_tab_shows_the_job_and_its_end(studio):
    one = studio()
    tab = one.page.context.new_page()
    tab.goto("/create")
    other = Studio(tab)
    expect(tab.locator("#no-jobs")).to_be_visible()
    one.ask("seen twice", steps=SLOW_STEPS)
    one.generate()
    other.expect_running()
    other.cancel()
    expect(one.state).to_have_text("Cancelled")


def test_a_cancelled_job_gives_back_what_it_did_not_use(studio):
    one = studio()
    one.ask("not this one", steps=SLOW_STEPS)
    expect(one.page.locator("#available")).to_have_text("100,300 available")
    one.generate()
    one.expect_running()
    one.cancel()
    charge = one.card.locator(".job-charge").inner_text()
    charged = int(charge.split()[0]) if charge != "Nothing charged" else 0
    left = f"{100_300 - charged:,} available"
    expect(one.page.locator("#available")).to_have_text(left)


def test_a_cancellation_says_that_it_is_under_way(studio):
    one = studio()
    one.ask("on its way out", steps=SLOW_STEPS, side=256)
    one.generate()
    one.expect_running()
    held = []
    one.page.route("**/cancel", lambda route: held.append(route))
    one.card.get_by_role("button", name="Cancel").click()
    button = one.card.get_by_role("button", name="Cancelling…")
    expect(button).to_be_disabled()
    while not held:
        one.page.wait_for_timeout(50)
    held[0].continue_()
    expect(one.state).to_have_text("Cancelled")
    expect(button).to_have_count(0)
    expect(one.card.get_by_role("button", name="Use these settings")).to_be_visible()


def test_a_cancellation_that_was_not_heard_can_be_tried_again(studio):
    one = studio()
    one.ask("stopped at the second try", steps=SLOW_STEPS, side=256)
    one.generate()
    one.expect_running()
    one.page.route("**/cancel", lambda route: route.abort())
    one.card.get_by_role("button", name="Cancel").click()
    expect(one.page.locator(".toast")).to_contain_text("No connection.")
    one.page.unroute("**/cancel")
    one.cancel()


def test_a_job_that_failed_says_why_costs_nothing_and_can_be_tried_again(
    damaged, studio
):
    one = studio()
    one.ask("never to be")
    one.page.locator("#model").select_option(damaged)
    one.generate()
    expect(one.state).to_have_text("Failed", timeout=DRAWN)
    expect(one.card.locator(".job-detail")).to_have_text(
        "The model is not there any more."
    )
    expect(one.card.locator(".job-charge")).to_have_text("Nothing charged")
    expect(one.card.locator(".tiles")).to_be_hidden()
    expect(one.page.locator("#available")).to_have_text("100,300 available")
    one.card.get_by_role("button", name="Try again").click()
    expect(one.page.locator("article.job")).to_have_count(2)
    expect(one.state).to_have_text("Failed", timeout=DRAWN)


def test_four_pictures_of_one_submission_share_a_card(studio):
    one = studio()
    one.ask("four of a kind", count=4)
    one.generate()
    one.expect_done(4)
    expect(one.page.locator("article.job")).to_have_count(1)


def test_previews_of_many_pictures_are_asked_for_in_turn(studio):
    """Or watching would use up what the address may ask for."""
    one = studio()
    asked = defaultdict(list)

    def note(request):
        if "/preview" in request.url:
            asked[request.url.split("?")[0]].append(time.monotonic())

    one.page.on("request", note)
    one.ask("four that form", steps=SLOW_STEPS, side=192, count=4)
    one.generate()
    one.expect_running()
    expect(one.card.locator("img.preview")).to_have_count(4)
    one.page.wait_for_timeout(5_000)
    one.cancel()
    assert len(asked) == 4
    gaps = [
        later - earlier
        for times in asked.values()
        for earlier, later in pairwise(times)
    ]
    assert gaps
    # Four pictures, each every 1.6 seconds; clocks are read a little late.
    assert min(gaps) > 1.4


def test_without_the_socket_the_page_asks_for_itself(enter, person, worker):
    page = enter(person, "/gallery")
    page.route_web_socket("**/ws/**", lambda socket: socket.close())
    page.goto("/create")
    one = Studio(page)
    expect(page.locator("#offline")).to_be_visible()
    one.ask("told by nobody")
    one.generate()
    one.expect_done()
