"""What a person does on the Create page, in their words."""

from __future__ import annotations

import re
from uuid import uuid4

from playwright.sync_api import expect

from billing.services.grants import adjust_credits
from pingvas.core.db.actor import SERVICE, acting_as

# Long enough to be watched, reloaded and stopped.
SLOW_STEPS = 150
DRAWN = 60_000
RUNNING = re.compile(r"^Step \d+ of \d+$")


def book(user, amount):
    """One more line in the history of a user's credits."""
    with acting_as(SERVICE):
        adjust_credits(
            user_id=user.id, amount=amount, reason="a test", staff_id=uuid4()
        )


class Studio:
    def __init__(self, page):
        self.page = page

    @property
    def card(self):
        """The newest submission."""
        return self.page.locator("article.job").first

    @property
    def state(self):
        return self.card.locator(".job-state")

    @property
    def step(self):
        return int(re.search(r"\d+", self.state.inner_text()).group())

    @property
    def available(self):
        return int(re.sub(r"\D", "", self.page.locator("#available").inner_text()))

    def ask(self, prompt, *, steps=2, side=64, count=1):
        page = self.page
        page.locator("#prompt").fill(prompt)
        for name in ("width", "height"):
            page.locator(f"#{name}").fill(str(side))
        page.locator("#steps").fill(str(steps))
        page.locator(f'input[name="count"][value="{count}"]').check(force=True)

    def generate(self):
        self.page.locator("#generate").click()

    def expect_done(self, pictures=1):
        expect(self.state).to_have_text("Done", timeout=DRAWN)
        self.expect_pictures(pictures)

    def expect_pictures(self, count):
        expect(self.card.locator(".tile-frame a img")).to_have_count(
            count, timeout=DRAWN
        )

    def expect_running(self):
        expect(self.state).to_have_text(RUNNING, timeout=DRAWN)

    def cancel(self):
        self.card.get_by_role("button", name="Cancel").click()
        expect(self.state).to_have_text("Cancelled", timeout=DRAWN)
