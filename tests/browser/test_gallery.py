"""Finished pictures: used again, saved, deleted and spared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.cast import PASSWORD
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.browser


@pytest.fixture
def page(studio):
    """The page of a picture just made."""
    one = studio()
    one.ask("worth keeping")
    one.generate()
    one.expect_done()
    one.card.locator(".tile-frame a").click()
    expect(one.page.locator("h1")).to_have_text("worth keeping")
    return one.page


def test_the_settings_of_a_picture_fill_the_form_again(page):
    seed = page.locator("dt:text-is('Seed') + dd").inner_text()
    page.get_by_role("link", name="Use these settings").click()
    expect(page.locator("#seed")).to_have_value(seed)
    expect(page.locator("#lock")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#prompt")).to_have_value("worth keeping")
    expect(page.locator("#steps")).to_have_value("2")
    expect(page.locator("#width")).to_have_value("64")


def test_the_download_is_the_full_picture_with_its_settings(page):
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.suggested_filename.endswith(".png")
    with Image.open(Path(saved.value.path())) as picture:
        assert picture.size == (64, 64)
        assert picture.text["parameters"].startswith("worth keeping")


def test_a_deleted_picture_can_be_had_back_and_is_gone_otherwise(page):
    address = page.url
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/gallery$"))
    expect(page.locator(".wall img:visible")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".wall img:visible")).to_have_count(1)
    page.goto(address)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Picture deleted.")).to_be_visible()
    with page.expect_request_finished(lambda request: request.method == "DELETE"):
        pass
    page.reload()
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    assert page.goto(address).status == 404


# What moved on its own: scrolling and what follows a click do not count.
JUMPS = """() => {
  window.jumps = 0;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) window.jumps += shift.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""


def test_the_wall_goes_on_by_key_and_nothing_jumps(enter, newcomer):
    first = [make_image(newcomer, size=(64, 64 + 8 * n)) for n in range(40)]
    page = enter(newcomer, "/gallery", viewport={"width": 390, "height": 700})
    page.evaluate(JUMPS)
    tiles = page.locator(".wall li:not(.more)")
    expect(tiles).to_have_count(30)
    # By number of the page, this one would push the thirtieth onto the next page.
    newest = make_image(newcomer)
    page.mouse.wheel(0, 20_000)
    expect(tiles).to_have_count(40)
    shown = tiles.evaluate_all("(all) => all.map((one) => one.id)")
    assert shown == [f"image-{image.id}" for image in reversed(first)]
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.jumps") < 0.01
    page.reload()
    expect(tiles.first).to_have_id(f"image-{newest.id}")


@pytest.fixture
def wall(enter, newcomer):
    """`wall(java_script_enabled=False)`: a gallery that goes on below the window."""
    images = [make_image(newcomer) for _ in range(40)]

    def _wall(**options):
        small = {"viewport": {"width": 390, "height": 700}}
        return enter(newcomer, "/gallery", **small | options), images

    return _wall


def scroll_to_the_end(page):
    # The browser learns of the listeners in its own time.
    page.wait_for_load_state("networkidle")
    page.mouse.wheel(0, 20_000)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (lambda route: route.abort(), "No connection. Try again."),
        (lambda route: route.fulfill(status=503), "Something went wrong. Try again."),
    ],
)
def test_a_page_that_does_not_come_says_so_and_comes_later(wall, failure, words):
    page, _ = wall()
    page.route("**/gallery?after=*", failure)
    scroll_to_the_end(page)
    fault = page.get_by_role("alert")
    expect(fault).to_contain_text(words)
    # Again in vain, it says so again.
    fault.get_by_role("button", name="Try again").click()
    expect(fault).to_contain_text(words)
    expect(page.locator(".wall img")).to_have_count(30)
    page.unroute("**/gallery?after=*")
    fault.get_by_role("button", name="Try again").click()
    expect(page.locator(".wall img")).to_have_count(40)
    expect(fault).to_be_hidden()
    expect(page.get_by_role("link", name="More pictures")).to_have_count(0)


def test_a_lost_connection_is_taken_up_without_a_click(wall):
    page, _ = wall()
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    page.mouse.wheel(0, 20_000)
    expect(page.get_by_role("alert")).to_contain_text("No connection.")
    page.context.set_offline(False)
    expect(page.locator(".wall img")).to_have_count(40)


def test_whoever_was_signed_out_in_mid_scroll_comes_back_to_the_wall(wall, newcomer):
    page, _ = wall()
    page.context.clear_cookies()
    scroll_to_the_end(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("E-mail address").fill(newcomer.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/gallery$"))
    expect(page.locator(".wall img").first).to_be_visible()


def test_without_scripts_a_link_leads_on(wall):
    page, images = wall(java_script_enabled=False)
    expect(page.locator(".wall img")).to_have_count(30)
    page.get_by_role("link", name="More pictures").click()
    tiles = page.locator(".wall li:not(.more)")
    shown = tiles.evaluate_all("(all) => all.map((one) => one.id)")
    assert shown == [f"image-{image.id}" for image in reversed(images[:10])]


def test_a_picture_far_down_is_deleted_and_never_comes_back(wall):
    page, images = wall()
    page.goto(f"/gallery/{images[0].id}")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Picture deleted.")).to_be_visible()
    scroll_to_the_end(page)
    expect(page.locator(".wall li")).to_have_count(40)
    expect(page.locator(f"#image-{images[0].id}")).to_be_hidden()
    expect(page.locator(".wall li")).to_have_count(39)
