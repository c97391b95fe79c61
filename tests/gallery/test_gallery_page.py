"""The gallery's page: the wall comes with it, and goes on by key in parts."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client

from gallery.views import PICTURES
from pingvas.core.db.actor import SERVICE, acting_as
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
TILE = re.compile(r'<li id="image-([0-9a-f-]+)">')
MORE = re.compile(r'<li class="more" hx-get="([^"]+)".*?<a [^>]*href="([^"]+)"', re.S)


@pytest.fixture
def browser(alice):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(alice)
    return client


def tiles(answer):
    return TILE.findall(answer.content.decode())


def more(answer):
    """Where the list goes on; the same for htmx and for a browser without scripts."""
    found = MORE.search(answer.content.decode())
    if found is None:
        return None
    by_htmx, by_link = map(html.unescape, found.groups())
    assert by_htmx == by_link
    return by_link


def ids(images):
    return [str(image.id) for image in reversed(images)]


def test_the_first_pictures_come_with_the_page(alice, browser, local_store):
    image = make_image(alice, size=(64, 80), prompt='a "star" <b>')
    answer = browser.get("/gallery")
    page = answer.content.decode()
    assert tiles(answer) == [str(image.id)]
    assert f'href="/gallery/{image.id}"' in page
    assert f'src="/api/v1/images/{image.id}/thumbnail"' in page
    assert 'alt="Picture: a &quot;star&quot; &lt;b&gt;" width="64" height="80"' in page
    assert 'id="no-images" hidden' in page
    # Nothing more to fetch: no script for it either.
    assert more(answer) is None
    assert "htmx" not in page


def test_an_empty_gallery_says_so_without_scripts(browser):
    page = browser.get("/gallery").content.decode()
    assert 'id="no-images">' in page
    assert "No pictures yet" in page


@pytest.mark.django_db(transaction=True)
def test_the_wall_goes_on_by_key_in_parts_and_by_a_plain_link(
    alice, browser, local_store
):
    # Each at a moment of its own, which it has not inside one transaction.
    images = [make_image(alice) for _ in range(PICTURES + 3)]
    first = browser.get("/gallery")
    assert tiles(first) == ids(images)[:PICTURES]
    assert "django_htmx/htmx-2.min.js" in first.content.decode()
    # By number of the page, this one would push one picture onto the next page.
    make_image(alice)
    part = browser.get(more(first), headers=HTMX)
    assert tiles(part) == ids(images)[PICTURES:]
    assert more(part) is None
    assert "<html" not in part.content.decode()
    page = browser.get(more(first))
    assert tiles(page) == tiles(part)
    assert "<h1>Gallery</h1>" in page.content.decode()


def test_pages_and_parts_of_one_address_are_kept_apart(browser):
    for headers in ({}, HTMX):
        answer = browser.get("/gallery", headers=headers)
        assert "HX-Request" in answer["Vary"]
        assert "Cookie" in answer["Vary"]
        assert answer["Cache-Control"] == "private, no-cache"
        assert "script-src" not in answer["Content-Security-Policy"]
        assert "default-src 'self'" in answer["Content-Security-Policy"]


def test_pictures_of_others_are_never_on_the_wall(alice, bob, browser, local_store):
    mine = make_image(alice)
    theirs = [make_image(bob) for _ in range(PICTURES + 1)]
    with acting_as(SERVICE):
        theirs[0].is_public = True
        theirs[0].save(update_fields=["is_public"])
    foreign = Client()
    foreign.force_login(bob)
    key = more(foreign.get("/gallery"))
    assert tiles(browser.get("/gallery")) == [str(mine.id)]
    # The key of somebody else's page says only where in one's own list to go on.
    assert set(tiles(browser.get(key))) <= {str(mine.id)}
    assert set(tiles(browser.get(key, headers=HTMX))) <= {str(mine.id)}


@pytest.mark.parametrize("key", ["", "nonsense", "W10", "a" * 500])
def test_a_key_that_is_none_is_refused(browser, key):
    answer = browser.get("/gallery", {"after": key})
    assert answer.status_code == 400
    assert "This request cannot be carried out" in answer.content.decode()


def test_whoever_was_signed_out_meanwhile_is_led_to_the_sign_in_page(alice, browser):
    browser.logout()
    now_at = {"HX-Current-URL": "http://testserver/gallery?after=key"}
    answer = browser.get("/gallery?after=next", headers=HTMX | now_at)
    assert answer["HX-Redirect"] == "/sign-in?next=/gallery%3Fafter%3Dkey"
    assert answer.content == b""
    assert "HX-Request" in answer["Vary"]
    elsewhere = {"HX-Current-URL": "https://elsewhere.example/gallery"}
    answer = browser.get("/gallery?after=next", headers=HTMX | elsewhere)
    assert answer["HX-Redirect"] == "/sign-in?next=/gallery"
    assert browser.get("/gallery")["Location"] == "/sign-in?next=/gallery"
