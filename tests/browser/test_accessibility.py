"""axe-core finds nothing to complain about: every page, both themes, both widths."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from tests.browser.conftest import names
from tests.browser.studio import SLOW_STEPS, Studio
from tests.browser.web import running_web
from tests.cast import make_user
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.browser

WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
THEMES = ("light", "dark")
BRIEFLY = {"resultTypes": ["violations"]}
# Colours on their way from one theme to the other would be measured.
STILL = {"reduced_motion": "reduce"}


def faults(page):
    """What axe finds wrong on the page, by theme and width, as short lines."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for name, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            said = page.evaluate("(o) => axe.run(document, o)", BRIEFLY)
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


def assert_accessible_refusal(page, status, heading, path):
    answer = page.goto(path)
    assert answer.status == status
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert faults(page) == []


def test_what_is_refused(enter, newcomer, visit, web):
    page = enter(newcomer, "/credits", **STILL)
    unfit = "This request cannot be carried out"
    assert_accessible_refusal(page, 400, unfit, "/gallery?after=nothing")
    assert_accessible_refusal(page, 404, "There is nothing here", "/nowhere")
    # A name that leads to this machine, and that the studio does not answer to.
    foreign = web.replace("127.0.0.1", "foreign.localhost")
    assert_accessible_refusal(page, 400, unfit, foreign)
    clerk = make_user(f"clerk{next(names)}", is_staff=True)
    page = enter(clerk, "/credits", **STILL)
    # The console keeps whoever may not see a page inside of it.
    assert_accessible_refusal(page, 403, "Not allowed", "/admin/accounts/user/")
    page = visit(**STILL)
    page.goto("/sign-in")
    page.context.clear_cookies()
    page.get_by_label("E-mail address").fill("someone@example.com")
    page.get_by_label("Password").fill("something")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="This form was not taken")).to_be_visible()
    assert faults(page) == []


BROKEN = {
    # The schema of another environment, which has no tables here.
    (500, "Something went wrong on our side"): {"DB_SCHEMA": "prod_pingvas"},
    (503, "A part of the studio is away"): {
        "DATABASE_URL": "postgresql://app_user:none@127.0.0.1:1/pingvas_db",
        "DB_POOL_TIMEOUT": "1",
    },
}


@pytest.mark.parametrize(("refusal", "environment"), BROKEN.items())
def test_what_is_seen_while_we_are_broken(visit, tmp_path, refusal, environment):
    with running_web(tmp_path / "log", **environment) as address:
        page = visit(**STILL)
        session = {"name": "sessionid", "value": "someones" * 4, "url": address}
        page.context.add_cookies([session])
        assert_accessible_refusal(page, *refusal, f"{address}/gallery")
        page.context.close()


def test_a_wall_that_goes_on_and_one_that_cannot(enter, newcomer):
    for _ in range(40):
        make_image(newcomer)
    page = enter(newcomer, "/gallery", **STILL)
    page.route("**/gallery?after=*", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
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
