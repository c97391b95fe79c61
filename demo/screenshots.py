"""`make screenshots`: the pictures in the README, taken from the running product."""

from __future__ import annotations

import argparse
import io
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from demo.__main__ import SPEC, make_pictures
from demo.client import Studio
from pingvas.local.confinement import remove_quarters
from pingvas.local.console import complain, say, write_line
from pingvas.local.credentials import load_credentials
from pingvas.local.errors import LocalError
from pingvas.local.home import CHECKOUT, Home, open_home
from pingvas.local.programs import STAFF_EMAIL
from pingvas.local.visit import running_studio

FOLDER = CHECKOUT / "docs" / "screenshots"
LARGEST_SUM = 1_500_000
DRAWN = 120_000
EMAIL = "mina@pingvas.example"
# Two of each: as many submissions as the free plan allows in ten minutes, but for one.
PROMPTS = (
    "a red heart on a white background",
    "a white cloud on a blue background",
    "a yellow moon on a black background",
    "a green tree on a yellow background",
    "a blue house on a white background",
    "a purple cup on a pink background",
    "a yellow star on a blue background",
    "an orange boat on a blue background",
)
BATCH = "a yellow star on a blue background"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: Sequence[str]) -> int:
    """Take all the pictures; 1 when something is missing, said in one line."""
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots")
    parser.add_argument("--home", type=Path, help="a studio's data; else a new one's")
    options = parser.parse_args(arguments)
    try:
        with _home(options.home) as home, running_studio(home) as url:
            take_pictures(url, load_credentials(home.credentials)["STAFF_PASSWORD"])
        check_size()
    except LocalError as error:
        complain(error.korean, error.english)
        return 1
    return 0


@contextmanager
def _home(given: Path | None) -> Iterator[Home]:
    """A new studio's data are nobody's afterwards."""
    if given is not None:
        yield open_home(given)
        return
    parent = open_home().folder
    folder = Path(tempfile.mkdtemp(prefix="screenshots-", dir=parent))
    try:
        yield open_home(folder)
    finally:
        remove_quarters(folder / "postgres")
        shutil.rmtree(folder)


def take_pictures(url: str, staff_password: str) -> None:
    """Make an account with a gallery, and photograph every page."""
    password = secrets.token_urlsafe(12)
    with Studio(url) as studio:
        studio.sign_up(EMAIL, password)
        say("그림을 만듭니다.", "Making the pictures.")
        for prompt in PROMPTS:
            make_pictures(studio, SPEC | {"prompt": prompt, "seeds": [-1, -1]})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        with closing(browser):
            camera = Camera(browser, url)
            photograph_studio(camera, password)
            photograph_console(camera, staff_password)


def find_chromium() -> str:
    """The system's Chromium; LocalError where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise LocalError(
            "Chromium was not found: install the package chromium.",
            "Chromium이 없습니다: chromium 패키지를 설치하세요.",
        )
    return found


class Camera:
    """Opens pages and saves what they show as small files."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    @contextmanager
    def page(self, **options: Any) -> Iterator[Page]:
        """A page of a browser of its own."""
        options = {"locale": "en-US", "viewport": DESKTOP} | options
        context = self._browser.new_context(base_url=self._url, **options)
        with closing(context):
            yield context.new_page()

    def shoot(self, page: Page, name: str) -> None:
        """Save the window as `name`.webp once everything in it is there."""
        page.wait_for_load_state("networkidle")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.wait_for_timeout(500)
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{name}.webp"
        with Image.open(io.BytesIO(page.screenshot())) as image:
            image.save(path, quality=82, method=6)
        write_line(f"  {path.relative_to(CHECKOUT)}  {path.stat().st_size // 1024} kB")

    def shoot_both(self, page: Page, name: str) -> None:
        """In the light and in the dark."""
        self.shoot(page, name)
        page.emulate_media(color_scheme="dark")
        # The console looks at the scheme when it opens.
        page.reload()
        self.shoot(page, f"{name}-dark")


def photograph_studio(camera: Camera, password: str) -> None:
    """Landing, Create, gallery, one picture and the credits."""
    with camera.page() as page:
        page.goto("/")
        camera.shoot(page, "landing")
        _sign_in(page, password)
        _draw_batch(page)
        camera.shoot_both(page, "create")
        page.emulate_media(color_scheme="light")
        page.goto("/gallery")
        camera.shoot(page, "gallery")
        page.locator(".wall a").first.click()
        page.wait_for_url("**/gallery/*")
        camera.shoot(page, "picture")
        page.goto("/credits")
        camera.shoot(page, "credits")
    with camera.page(locale="ko-KR") as page:
        page.goto("/")
        camera.shoot(page, "landing-ko")
        _sign_in(page, password)
        camera.shoot(page, "create-ko")
    with camera.page(viewport=PHONE, has_touch=True, is_mobile=True) as page:
        _sign_in(page, password)
        camera.shoot(page, "create-phone")


def photograph_console(camera: Camera, password: str) -> None:
    """The staff's dashboard and the page of one user."""
    with camera.page() as page:
        page.goto("/admin/")
        page.locator("#id_username").fill(STAFF_EMAIL)
        page.locator("#id_password").fill(password)
        page.locator("#login-form button[type=submit]").click()
        page.wait_for_url("**/admin/")
        camera.shoot_both(page, "staff")
        page.emulate_media(color_scheme="light")
        page.goto(f"/admin/accounts/user/?q={EMAIL}")
        page.get_by_role("link", name=EMAIL).click()
        camera.shoot(page, "staff-user")


def _sign_in(page: Page, password: str) -> None:
    page.goto("/sign-in")
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(password)
    page.locator("main form button").first.click()
    page.wait_for_url("**/create")


def _draw_batch(page: Page) -> None:
    page.locator("#prompt").fill(BATCH)
    for name in ("width", "height"):
        page.locator(f"#{name}").fill("128")
    page.locator('input[name="count"][value="4"]').check(force=True)
    page.locator("#generate").click()
    card = page.locator("article.job").first
    expect(card.locator(".tile a img")).to_have_count(4, timeout=DRAWN)
    page.evaluate("window.scrollTo(0, 0)")


def check_size() -> None:
    """Say what the pictures weigh; LocalError when that is too much to keep."""
    total = sum(path.stat().st_size for path in FOLDER.glob("*.webp"))
    if total > LARGEST_SUM:
        raise LocalError(
            f"The screenshots take {total} bytes; {LARGEST_SUM} at most are kept.",
            f"스크린샷이 {total}바이트입니다. 최대 {LARGEST_SUM}바이트까지 둡니다.",
        )
    say(f"합계 {total // 1024} kB", f"{total // 1024} kB in all")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
