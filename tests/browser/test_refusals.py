"""What cannot be had is said in words, where it is asked for."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Studio
from tests.cast import PASSWORD

pytestmark = pytest.mark.browser


def test_too_few_credits_say_how_many_are_missing_and_what_would_fit(
    enter, newcomer, model
):
    page = enter(newcomer, "/create")
    one = Studio(page)
    one.ask("a very large wish", steps=150, side=1024, count=8)
    refusal = page.locator("#refusal")
    expect(refusal).to_contain_text("credits are missing")
    one.generate()
    expect(refusal).to_contain_text("credits are missing")
    expect(page.locator("article.job")).to_have_count(0)
    refusal.get_by_role("button").last.click()
    expect(refusal).to_be_hidden()
    expect(page.locator("#price")).not_to_have_text("Price: —")


def test_wrong_settings_are_named_at_their_fields(enter, person, model):
    page = enter(person, "/create")
    one = Studio(page)
    one.generate()
    expect(page.locator("#prompt-error")).to_have_text(
        "Write what the picture shall show."
    )
    expect(page.locator("#prompt")).to_be_focused()
    one.ask("too wide")
    page.locator("#width").fill("2000")
    page.locator("#width").blur()
    expect(page.locator("#width-error")).to_have_text(
        "Your plan allows at most 1024 pixels."
    )
    expect(page.locator("#width")).to_have_attribute("aria-invalid", "true")
    one.generate()
    expect(page.locator("#width")).to_be_focused()
    expect(page.locator("article.job")).to_have_count(0)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_field_that_is_wrong_comes_into_sight(enter, person, model, size):
    """Below many pictures the form stands partly under the header."""
    page = enter(person, "/create", viewport={"width": size[0], "height": size[1]})
    expect(page.locator("#no-jobs")).to_be_visible()
    page.evaluate("document.querySelector('#jobs').style.minHeight = '4000px'")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.locator("#generate").press("Enter")
    expect(page.locator("#prompt-error")).to_be_visible()
    expect(page.locator("#prompt")).to_be_focused()
    header = page.locator("header.top").bounding_box()
    prompt = page.locator("#prompt").bounding_box()
    assert prompt["y"] >= header["y"] + header["height"]
    assert prompt["y"] + prompt["height"] <= size[1]


def test_everything_that_is_wrong_is_named_at_once(enter, person, model):
    page = enter(person, "/create")
    Studio(page).ask("all wrong", steps=400, side=32)
    page.locator("#cfg_scale").fill("70")
    page.locator("#seed").fill("-5")
    page.locator("#height").fill("")
    said = {
        "#width-error": "Between 64 and 2,048.",
        "#height-error": "Write a number.",
        "#steps-error": "Between 1 and 150.",
        "#cfg_scale-error": "Between 1 and 20.",
        "#seeds-error": "Between 0 and 4,294,967,295.",
    }
    # Leaving the field puts a side on the grid: it is still being written here.
    page.locator("#width").fill("32")
    for place, words in said.items():
        expect(page.locator(place)).to_have_text(words)
    expect(page.locator("#price")).to_have_text("Price: —")
    page.locator("#generate").click()
    expect(page.locator("article.job")).to_have_count(0)


def test_a_refused_sign_up_opens_at_what_is_wrong(visit):
    page = visit()
    page.goto("/sign-up")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_text("Enter your e-mail address.")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.get_by_label("E-mail address").fill("somebody@example.com")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Make an account").click()
    password = page.get_by_label("Password")
    expect(password).to_be_focused()
    expect(password).to_have_attribute("aria-invalid", "true")
    described = password.get_attribute("aria-describedby").split()
    words = " ".join(page.locator(f"#{name}").inner_text() for name in described)
    assert "At least 8 characters." in words


def test_a_wrong_password_is_refused_and_the_right_one_leads_on(visit, newcomer):
    page = visit()
    page.goto("/gallery")
    page.get_by_label("E-mail address").fill(newcomer.email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The e-mail address or the password is wrong."
    )
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/gallery")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
