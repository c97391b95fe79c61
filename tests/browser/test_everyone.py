"""In Korean, on a phone, by keyboard alone, in the dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.studio import DRAWN

pytestmark = pytest.mark.browser


def test_a_korean_browser_is_spoken_to_in_korean(studio):
    one = studio(locale="ko-KR")
    page = one.page
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    one.generate()
    expect(page.locator("#prompt-error")).to_have_text("무엇을 그릴지 적어 주세요.")
    one.ask("파란 배경의 노란 별")
    page.locator("#steps").fill("400")
    expect(page.locator("#steps-error")).not_to_be_empty()
    page.locator("#steps").fill("2")
    page.get_by_role("button", name="생성").click()
    expect(one.state).to_have_text("완료", timeout=DRAWN)
    page.get_by_role("button", name="English").click()
    expect(one.state).to_have_text("Done")
    expect(one.card.locator("h3")).to_have_text("파란 배경의 노란 별")


def test_a_phone_shows_every_page_without_sideways_scrolling(studio):
    one = studio(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    one.ask("a small star " + "in one very-long-word" * 9)
    one.generate()
    one.expect_done()
    picture = one.card.locator(".tile-frame a").get_attribute("href")
    for path in ("/", "/create", "/gallery", picture, "/credits"):
        one.page.goto(path)
        one.page.wait_for_load_state("networkidle")
        widths = "[document.documentElement.scrollWidth, innerWidth]"
        content, window = one.page.evaluate(widths)
        assert content <= window, path


PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
FIELDS = "select, textarea, input:not([type=radio]):not([type=hidden])"
CONTROLS = f"button, a.button, .tabs a, .choices label, {FIELDS}"
LOW = """(nodes) => nodes.map((node) => [node, node.getBoundingClientRect().height])
  .filter(([, height]) => height && height < 44)
  .map(([node, height]) => `${node.id || node.className || node.name} ${height}`)"""


def test_a_finger_finds_every_control(studio):
    one = studio(**PHONE)
    one.ask("for thick fingers")
    one.generate()
    one.expect_done()
    picture = one.card.locator(".tile-frame a").get_attribute("href")
    for path in ("/create", picture, "/credits", "/"):
        one.page.goto(path)
        one.page.wait_for_load_state("networkidle")
        assert one.page.locator(CONTROLS).evaluate_all(LOW) == [], path


def test_what_a_mouse_is_shown_by_hovering_a_finger_is_shown_at_once(visit):
    page = visit(**PHONE)
    page.goto("/")
    for item in page.locator(".mosaic li").all():
        words, picture = item.locator("span"), item.locator("img")
        expect(words).to_have_css("opacity", "1")
        below = picture.bounding_box()
        assert words.bounding_box()["y"] >= below["y"] + below["height"]
    desk = visit()
    desk.goto("/")
    words = desk.locator(".mosaic span").first
    expect(words).to_have_css("opacity", "0")
    desk.locator(".mosaic a").first.hover()
    expect(words).to_have_css("opacity", "1")


COVERED = """(card) => {
  const place = (node) => node.getBoundingClientRect();
  const meets = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const pictures = [...card.querySelectorAll(".tile-frame")].map(place);
  const words = [...card.querySelectorAll("header, .job-line, .row")].map(place);
  return words.some((one) => pictures.some((picture) => meets(one, picture)))
    || pictures.some((picture) => picture.right > place(card).right);
}"""


@pytest.mark.parametrize("count", [1, 2, 4])
def test_no_width_lets_pictures_cover_their_words(studio, count):
    one = studio()
    one.ask("room for both", count=count)
    one.generate()
    one.expect_done(count)
    for width in (360, 768, 960, 1200, 1280, 1440, 1920):
        one.page.set_viewport_size({"width": width, "height": 900})
        assert not one.card.evaluate(COVERED), width


def tab_to(page, selector):
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached")


def test_the_keyboard_alone_makes_and_opens_a_picture(studio):
    one = studio()
    page = one.page
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("by hand")
    for field, value in {"#width": "64", "#height": "64", "#steps": "2"}.items():
        tab_to(page, field)
        page.keyboard.press("Control+A")
        page.keyboard.type(value)
    page.keyboard.press("Control+Enter")
    one.expect_done()
    tab_to(page, ".tile-frame a")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("by hand")


def test_the_chosen_theme_stays(visit):
    page = visit(color_scheme="light")
    page.goto("/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/sign-in")
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == light
