"""The whole studio, started as `make demo` starts it, and used from outside."""

from __future__ import annotations

import socket

import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosedError

from demo.__main__ import SPEC, main, make_pictures
from demo.client import Studio
from pingvas.local.environment import PRIVILEGED
from pingvas.local.errors import LocalError
from pingvas.local.home import open_home
from pingvas.local.redis import EmbeddedRedis
from pingvas.local.visit import running_studio
from tests.redis import refusals
from tests.servers import ADDRESSES, common_environment

# What this test run has for itself, and a developer's terminal has not.
OURS = {*PRIVILEGED, *ADDRESSES}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return open_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def url(home, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        names = OURS | set(common_environment(tmp_path_factory.mktemp("unused")))
        for name in names:
            patch.delenv(name, raising=False)
        with running_studio(home) as address:
            yield address
            # Web, workers and Beat each had the rights for all that they did.
            assert refusals(EmbeddedRedis(home.redis).admin_url) == []
    # Nothing is left running, and the folder is free for the next.
    port = int(address.rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert home.lock.acquire(note="a test")


def test_four_pictures_a_receipt_and_right_books(home, url, tmp_path, capsys):
    output = tmp_path / "demo.png"
    assert main(["--home", str(home.folder), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    # It found the one that runs.
    assert f"Using the studio at {url}" in said
    assert "100%" in said
    assert "subscription_grant    +300  = 300" in said
    assert "Everything is as promised." in said
    with Image.open(output) as sheet:
        assert sheet.size[0] > 512


def test_a_connection_lost_on_the_way_misses_nothing(url):
    class Shaky(Studio):
        sockets = 0

        def _frames(self, since):
            self.sockets += 1
            for number, frame in enumerate(super()._frames(since)):
                yield frame
                if number == 9:
                    raise ConnectionClosedError(None, None)

    with Shaky(url) as studio:
        studio.sign_up("shaky@pingvas.example", "a long enough password")
        # Raises unless every event comes, once and in its order.
        assert len(make_pictures(studio, SPEC)) == 4
    assert studio.sockets > 2


def test_what_the_api_refuses_is_one_clear_line(url, capsys):
    assert main(["--url", url, "--model", "no-such-model"]) == 1
    assert "It failed: 404 model_not_found" in capsys.readouterr().err


def test_nobody_there_is_one_clear_line(capsys):
    assert main(["--url", "http://127.0.0.1:1"]) == 1
    korean, english = capsys.readouterr().err.splitlines()
    assert english.startswith("It failed: ")
    assert korean.startswith("실패했습니다: ")


def test_a_folder_that_another_command_uses_is_named(tmp_path):
    other = open_home(tmp_path)
    lock = other.lock
    assert lock.acquire(note="a command, pid 42")
    with pytest.raises(LocalError, match="a command, pid 42"), running_studio(other):
        pass
    lock.release()
