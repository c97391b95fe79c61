"""What a page weighs, in bytes and files, and when a reader sees something.

Bytes and files are the same on every machine and have a budget. Times depend on the
machine: they are printed, and stand in the README with the machine they came from.
"""

from __future__ import annotations

import pytest

from tests.browser.studio import book
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.browser

# Kilobytes and files of a first visit, nothing kept and nothing compressed.
BUDGET = {
    "/": (80, 25),
    "/sign-in": (32, 10),
    "/create": (118, 29),
    "/gallery": (42, 14),
    "/credits": (47, 16),
}
# With htmx, and the next rows that it fetched at once.
GROWING = {"/gallery": (118, 18), "/credits": (118, 18)}
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [paint.startTime, page.domContentLoadedEventEnd].map(Math.round);
}"""
# How far things jumped while the page came up; 0.1 is what reviewers call good.
SHIFTS = """() => new Promise((done) => {
  const sum = (list) => list.getEntries().reduce((all, one) => all + one.value, 0);
  const observer = new PerformanceObserver((list) => done(sum(list)));
  observer.observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(0), 300);
})"""


def visit_once(page, path):
    """Kilobytes and number of its own files: what it then asks the API varies."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    files, weights = {}, {}
    session.on(
        "Network.requestWillBeSent",
        lambda event: files.update({event["requestId"]: event["request"]["url"]}),
    )
    session.on(
        "Network.loadingFinished",
        lambda event: weights.update({event["requestId"]: event["encodedDataLength"]}),
    )
    page.goto(path)
    page.wait_for_load_state("networkidle")
    session.detach()
    own = [weight for key, weight in weights.items() if "/api/" not in files[key]]
    return sum(own) / 1000, len(own)


@pytest.fixture
def weigh(capsys):
    """Visits a page, prints its figures and holds them to the budget."""

    def _weigh(page, path, budget):
        weight, requests = visit_once(page, path)
        paint, ready = page.evaluate(TIMES)
        with capsys.disabled():
            print(  # noqa: T201
                f"\n{path}: {weight:.0f} kB in {requests} files, first paint after "
                f"{paint} ms, ready after {ready} ms",
                end="",
            )
        assert page.evaluate(SHIFTS) < 0.1, path
        assert weight <= budget[path][0], path
        assert requests <= budget[path][1], path

    return _weigh


def test_no_page_weighs_more_than_its_budget(visit, enter, newcomer, model, weigh):
    own = enter(newcomer, "/credits")
    strangers = visit()
    for path in BUDGET:
        weigh(strangers if path in ("/", "/sign-in") else own, path, BUDGET)


def test_nor_does_a_page_whose_list_goes_on(enter, newcomer, weigh):
    for _ in range(40):
        make_image(newcomer)
        book(newcomer, 1)
    page = enter(newcomer, "/credits")
    page.wait_for_load_state("networkidle")
    for path in GROWING:
        weigh(page, path, GROWING)
