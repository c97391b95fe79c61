"""One step back, the browser shows the page as it was left."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.studio import SLOW_STEPS, Studio, book
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium(launch):
    """As people have it: playwright's own switches this cache off."""
    browser = launch(ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


# Noted by the page itself when it is shown again without having been loaded again.
WATCH = """() => addEventListener("pageshow", (event) => {
  sessionStorage.setItem("was kept", event.persisted);
})"""


def go_back(page):
    # Playwright's own way waits for an event that this cache does not send.
    page.evaluate("history.back()")


def was_kept(page):
    return page.evaluate('sessionStorage.getItem("was kept")') == "true"


def test_the_wall_is_found_again_where_a_picture_was_opened(enter, newcomer):
    images = [make_image(newcomer) for _ in range(40)]
    page = enter(newcomer, "/gallery", viewport={"width": 390, "height": 700})
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    page.mouse.wheel(0, 20_000)
    expect(page.locator(".wall img")).to_have_count(40)
    last = page.locator(f"#image-{images[0].id} a")
    last.click()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    go_back(page)
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    expect(last).to_be_in_viewport()
    assert was_kept(page)


def test_what_was_private_is_gone_once_signed_out(enter, newcomer):
    page = enter(newcomer, "/credits")
    page.evaluate(WATCH)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Start with free credits")).to_be_visible()
    go_back(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    # The browser did have the page; it took itself away.
    assert was_kept(page)


def test_create_catches_up_with_what_happened_meanwhile(studio):
    one = studio()
    page = one.page
    one.ask("left alone", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    page.evaluate(WATCH)
    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    other = Studio(page.context.new_page())
    other.page.goto("/create")
    other.expect_done()
    go_back(page)
    one.expect_done()
    expect(page.locator("#offline")).to_be_hidden()
    # What comes next is heard live again.
    other.ask("after the return", steps=SLOW_STEPS)
    other.generate()
    expect(one.card.locator("h3")).to_have_text("after the return")
    one.expect_running()
    other.cancel()
    expect(one.state).to_have_text("Cancelled")
    assert was_kept(page)


def test_credits_catch_up_as_well(enter, person):
    page = enter(person, "/credits")
    page.evaluate(WATCH)
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    book(person, 77)
    go_back(page)
    expect(page.locator('[data-figure="balance"]')).to_have_text("100,377")
    expect(page.locator("tbody tr").first).to_contain_text("+77")
    assert was_kept(page)
