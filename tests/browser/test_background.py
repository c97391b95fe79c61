"""What ends while nobody looks is told: in the title, and by a notification."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.background import running_browser
from tests.browser.conftest import CHROMIUM_ARGUMENTS, session_cookie
from tests.browser.studio import SLOW_STEPS

pytestmark = pytest.mark.browser

OWN_TITLE = "Create · Pingvas"
# Notifications are real ones; each that the browser shows is noted down.
NOTE = """
  window.told = [];
  window.Notification = class extends Notification {
    constructor(words, options) {
      super(words, options);
      this.addEventListener("show", () => told.push([this.title, this.body]));
    }
  };
"""
ASK = """(wishes) => {
  for (const [id, value] of Object.entries(wishes)) {
    const field = document.getElementById(id);
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.getElementById("generate").click();
}"""
STATE = "document.querySelector('.job-state')?.textContent ?? ''"


@pytest.fixture
def browser(program, web, person, worker, tmp_path):
    """Signed in, and allowed to notify."""
    with running_browser(program, CHROMIUM_ARGUMENTS, tmp_path, web) as opened:
        opened.allow_notifications()
        opened.sign_in(session_cookie(person, web))
        yield opened


@pytest.fixture
def tab(browser):
    return browser.open("/create", before=NOTE)


def ask(tab, prompt, steps=2, **more):
    wishes = {"prompt": prompt, "width": 64, "height": 64, "steps": steps, **more}
    tab.read(f"({ASK})({json.dumps(wishes)})")


def test_a_picture_that_is_done_behind_another_tab_is_told(browser, tab):
    ask(tab, "behind your back", steps=SLOW_STEPS)
    tab.wait(f"{STATE}.startsWith('Step')")
    tab.wait(r"/^\d+% · Create$/.test(document.title)")
    browser.open("/gallery")
    assert tab.read("document.hidden")
    tab.wait("document.title === 'Done · Create'")
    tab.wait("told.length")
    assert tab.read("told") == [["Your picture is done.", "behind your back"]]
    tab.come_to_the_front()
    tab.wait(f"document.title === {OWN_TITLE!r}")


def test_one_that_could_not_be_made_is_told_as_well(browser, damaged):
    tab = browser.open("/create", before=NOTE)
    ask(tab, "first in line", steps=SLOW_STEPS, width=256, height=256)
    tab.wait(f"{STATE}.startsWith('Step')")
    ask(tab, "never to be", model=damaged)
    tab.wait(f"{STATE} === 'Waiting'")
    browser.open("/gallery")
    tab.wait("document.title === 'Failed · Create'")
    failure = ["Your picture could not be made.", "never to be"]
    tab.wait(f"told.some((one) => one.join() === {','.join(failure)!r})")


def test_whoever_looks_is_not_told(tab):
    ask(tab, "before your eyes")
    tab.wait(f"{STATE} === 'Done'")
    tab.wait(f"document.title === {OWN_TITLE!r}")
    assert not tab.read("document.hidden")
    assert tab.read("told") == []


def test_only_who_has_not_decided_yet_is_offered_notifications(enter, newcomer, model):
    page = enter(newcomer, "/create")
    offer = page.get_by_role("button", name="Tell me when done")
    expect(offer).to_be_visible()
    page.context.grant_permissions(["notifications"])
    page.reload()
    expect(page.locator("#no-jobs")).to_be_visible()
    expect(offer).to_be_hidden()
