"""From nothing to a picture in the gallery."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Studio

pytestmark = pytest.mark.browser


def test_a_stranger_signs_up_and_finds_their_picture_in_the_gallery(visit, worker):
    page = visit()
    page.goto("/")
    page.get_by_role("link", name="Start with free credits").click()
    page.get_by_label("E-mail address").fill("stranger@example.com")
    page.get_by_label("Password").fill("quite a long password")
    page.get_by_role("button", name="Make an account").click()

    expect(page).to_have_url(re.compile("/create$"))
    studio = Studio(page, None)
    expect(page.get_by_text("300 available")).to_be_visible()
    studio.ask("a yellow star on a blue background")
    expect(page.locator("#price")).to_have_text("1 credit")
    studio.generate()
    studio.expect_done()
    expect(studio.card.locator(".job-charge")).to_have_text("1 credit")
    expect(page.get_by_text("299 available")).to_be_visible()

    page.get_by_role("link", name="Gallery", exact=True).click()
    thumbnail = page.locator(".wall img")
    expect(thumbnail).to_have_count(1)
    assert thumbnail.evaluate("async (i) => (await i.decode(), i.naturalWidth)") == 64
    thumbnail.click()
    expect(page.locator("h1")).to_have_text("a yellow star on a blue background")
    expect(page.locator("#receipt")).to_contain_text("Charged1 credit")
