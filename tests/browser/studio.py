"""What a person does on the Create page, in their words."""

from __future__ import annotations

from playwright.sync_api import expect

SLOW_STEPS = 60
DRAWN = 60_000


class Studio:
    def __init__(self, page, user):
        self.page = page
        self.user = user

    @property
    def card(self):
        """The newest submission."""
        return self.page.locator("article.job").first

    def ask(self, prompt, *, steps=2, side=64, count=1):
        page = self.page
        page.get_by_label("Prompt", exact=True).fill(prompt)
        for name in ("Width", "Height"):
            page.get_by_label(name, exact=True).fill(str(side))
        page.locator("#steps").fill(str(steps))
        page.locator(f'input[name="count"][value="{count}"]').check(force=True)

    def generate(self):
        self.page.get_by_role("button", name="Generate").click()

    def expect_done(self, pictures=1):
        expect(self.card.locator(".job-state")).to_have_text("Done", timeout=DRAWN)
        expect(self.card.locator(".tile a img")).to_have_count(pictures)
