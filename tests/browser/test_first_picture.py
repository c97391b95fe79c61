"""From nothing to a picture in the gallery."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Studio

pytestmark = pytest.mark.browser
PROMPT = "a yellow star on a blue background"


def test_a_stranger_signs_up_and_finds_their_picture_in_the_gallery(visit, worker):
    page = visit()
    page.goto("/")
    page.get_by_role("link", name="Start with free credits").click()
    page.get_by_label("E-mail address").fill("stranger@example.com")
    page.get_by_label("Password").fill("quite a long password")
    page.get_by_role("button", name="Make an account").click()

    expect(page).to_have_url(re.compile("/create$"))
    studio = Studio(page)
    expect(page.locator("#available")).to_have_text("300 available")
    studio.ask(PROMPT)
    expect(page.locator("#price")).to_have_text(re.compile(r"^\d+ credits?$"))
    studio.generate()
    studio.expect_done()
    charge = int(studio.card.locator(".job-charge").inner_text().split()[0])
    assert charge >= 1
    expect(page.locator("#available")).to_have_text(f"{300 - charge} available")

    page.get_by_role("link", name="Gallery", exact=True).click()
    thumbnail = page.locator(".wall img")
    expect(thumbnail).to_have_count(1)
    assert thumbnail.evaluate("async (i) => (await i.decode(), i.naturalWidth)") == 64
    thumbnail.click()
    expect(page.locator("h1")).to_have_text(PROMPT)
    expect(page.locator("#receipt")).to_contain_text(f"Charged{charge} credit")

    page.get_by_role("link", name="Credits", exact=True).click()
    expect(page.locator('[data-figure="available"]')).to_have_text(str(300 - charge))
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody tr").first).to_contain_text(f"−{charge}")
