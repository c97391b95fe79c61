"""The live connection: late, lost, silent or left behind, the page shows the truth."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from generation.selectors import jobs_of
from pingvas.core.db.actor import SERVICE, acting_as
from tests.browser.studio import SLOW_STEPS, Studio

pytestmark = pytest.mark.browser

LIST = "**/api/v1/submissions?limit=*"


def test_without_a_network_the_page_says_so_and_goes_on_when_it_is_back(studio):
    one = studio()
    page = one.page
    one.ask("through a tunnel", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_contain_text("Your pictures go on")
    page.locator("#prompt").fill("meanwhile")
    one.generate()
    expect(page.locator("#refusal")).to_contain_text("Your settings are kept")
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    one.cancel()
    expect(page.locator("article.job")).to_have_count(1)


def test_a_slow_first_answer_does_not_hide_what_came_after_it(studio):
    """The list is read, the job ends, and only then the list arrives."""
    one = studio()
    one.ask("overtaken", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    tab = one.page.context.new_page()
    held = []

    def hold(route):
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    tab.route(LIST, hold)
    tab.goto("/create")
    while not held:
        tab.wait_for_timeout(50)
    one.cancel()
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(Studio(tab).state).to_have_text("Cancelled")


def test_a_picture_that_did_not_come_is_asked_for_again(studio):
    one = studio()
    asked = []

    def lose_first(route):
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    one.page.route("**/thumbnail", lose_first)
    one.ask("lost on its way")
    one.generate()
    one.expect_done()
    assert len(asked) == 2
    assert asked[0] == asked[1]


def test_a_connection_that_died_without_a_word_is_replaced(enter, person, worker):
    page = enter(person, "/gallery")
    sockets = []

    def watch(socket):
        server = socket.connect_to_server()
        sockets.append(socket)
        is_dead = len(sockets) == 1

        def pass_on(message):
            if not (is_dead and '"ping"' in str(message)):
                server.send(message)

        socket.on_message(pass_on)

    page.route_web_socket("**/ws/**", watch)
    page.goto("/create")
    page.wait_for_load_state("networkidle")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#offline")).to_be_hidden()
    while len(sockets) < 2:
        page.wait_for_timeout(100)
    one = Studio(page)
    one.ask("on the second line")
    one.generate()
    one.expect_done()


def test_a_job_that_nothing_is_heard_of_is_asked_for(enter, person, worker):
    """The socket is open and answers pings, but the end of the job never comes."""
    page = enter(person, "/gallery")

    def watch(socket):
        server = socket.connect_to_server()

        def pass_on(message):
            if not any(end in str(message) for end in ("job.completed", "credits.")):
                socket.send(message)

        server.on_message(pass_on)

    page.route_web_socket("**/ws/**", watch)
    page.clock.install()
    page.goto("/create")
    one = Studio(page)
    one.ask("a silent end", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    expect(page.locator("#offline")).to_be_hidden()
    while not is_done(person):
        page.wait_for_timeout(100)
    expect(one.state).not_to_have_text("Done")
    page.clock.fast_forward(16_000)
    one.expect_done()
    expect(page.locator("#offline")).to_be_hidden()


def is_done(person):
    with acting_as(SERVICE):
        return jobs_of(person.id).filter(status="completed").exists()


def test_signing_out_in_one_tab_ends_the_other(enter, newcomer):
    page = enter(newcomer, "/credits")
    tab = page.context.new_page()
    tab.goto("/gallery")
    page.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


def test_more_can_be_asked_for_while_one_runs_but_not_by_clicking_twice(studio):
    one = studio()
    page = one.page
    one.ask("the first", steps=SLOW_STEPS, side=192)
    page.locator("#generate").dblclick()
    one.expect_running()
    expect(page.locator("article.job")).to_have_count(1)
    one.ask("the second", steps=SLOW_STEPS)
    one.generate()
    expect(page.locator("article.job")).to_have_count(2)
    expect(one.card.locator("h3")).to_have_text("the second")
    expect(one.state).to_have_text("Waiting")
    expect(one.card.locator(".job-detail")).not_to_be_empty()
    expect(one.card.locator(".job-charge")).to_contain_text("held")
    one.cancel()
    expect(one.card.locator(".job-charge")).to_have_text("Nothing charged")
    page.locator("article.job").last.get_by_role("button", name="Cancel").click()
    expect(page.locator("article.job").last.locator(".job-state")).to_have_text(
        "Cancelled"
    )
