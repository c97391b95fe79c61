"""The pictures of the first page are there, and lead to their own words."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.staticfiles import finders
from PIL import Image

from pingvas.landing import FOLDER, _showcase
from pingvas.local.programs import STARTER_MODEL
from workers.starter.scenes import SIDE
from workers.starter.showcase import FORMING_AFTER, WISHES

pytestmark = pytest.mark.django_db


def test_every_picture_was_drawn_by_the_model_that_comes_along():
    drawn = _showcase()
    assert drawn["model"] == STARTER_MODEL, "make showcase"
    assert [p["prompt"] for p in drawn["pictures"]] == [w.prompt for w in WISHES]
    assert [frame["step"] for frame in drawn["forming"]] == list(FORMING_AFTER)
    for entry in [*drawn["pictures"], *drawn["forming"]]:
        with Image.open(finders.find(f"{FOLDER}/{entry['file']}")) as picture:
            assert (picture.format, picture.size) == ("WEBP", (SIDE, SIDE))


def test_a_click_on_a_picture_leads_to_its_words(client):
    page = client.get("/").content.decode()
    links = re.findall(r'<li><a href="(.*?)"><img', page)
    assert len(links) == len(WISHES)
    for link, wish in zip(links, WISHES, strict=True):
        address = urlsplit(html.unescape(link))
        assert address.path == "/sign-up"
        [target] = parse_qs(address.query)["next"]
        assert urlsplit(target).path == "/create"
        assert parse_qs(urlsplit(target).query)["prompt"] == [wish.prompt]
        assert wish.prompt in page
