"""axe-core finds nothing to complain about: every page, both themes, both widths."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from tests.browser.studio import SLOW_STEPS, Studio

pytestmark = pytest.mark.browser

WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
# A theme is other colours and nothing more.
THEMES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
BRIEFLY = {"resultTypes": ["violations"]}
# Colours on their way from one theme to the other would be measured.
STILL = {"reduced_motion": "reduce"}


def faults(page):
    """What axe finds wrong on the page, by theme and width, as short lines."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for name, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme, options in THEMES.items():
            page.emulate_media(color_scheme=theme)
            said = page.evaluate("(o) => axe.run(document, o)", options | BRIEFLY)
            for rule in said["violations"]:
                places = [" ".join(map(str, node["target"])) for node in rule["nodes"]]
                found.append(f"{theme} {name}: {rule['id']} at {', '.join(places)}")
    return found


def assert_accessible(page, *paths):
    found = {}
    for path in paths:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found[path] = faults(page)
    assert {path: said for path, said in found.items() if said} == {}


def test_what_strangers_see(visit):
    page = visit(**STILL)
    assert_accessible(page, "/", "/sign-in", "/sign-up", "/nowhere")
    page.goto("/sign-in")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".error").first).to_be_visible()
    assert faults(page) == []


def test_a_studio_without_pictures_or_credits(enter, newcomer, model):
    page = enter(newcomer, "/gallery", **STILL)
    assert_accessible(page, "/gallery", "/create")
    Studio(page).ask("a very large wish", steps=150, side=1024, count=8)
    expect(page.locator("#refusal button").first).to_be_visible()
    assert faults(page) == []


def test_a_studio_with_pictures(studio):
    one = studio(**STILL)
    page = one.page
    one.ask("seen by everybody", count=2)
    one.generate()
    one.expect_done(2)
    picture = one.card.locator(".tile-frame a").first.get_attribute("href")
    assert_accessible(page, "/gallery", picture, "/credits", "/create")
    one.ask("in the making", steps=SLOW_STEPS)
    one.generate()
    one.expect_running()
    page.locator("#width").fill("2000")
    page.locator("#width").blur()
    expect(page.locator("#width-error")).not_to_be_empty()
    assert faults(page) == []
    one.cancel()
