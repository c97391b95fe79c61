"""The folder of one checkout is its owner's, whatever it was before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pingvas.local.home import open_home
from pingvas.local.redis import EmbeddedRedis


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_that_others_could_enter_is_closed_at_the_next_start(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ".pingvas"
    folder.mkdir()
    folder.chmod(0o777)

    open_home(folder)

    assert mode(folder) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o022], ids=oct)
def test_what_redis_keeps_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        server = EmbeddedRedis(tmp_path / "home" / "redis")
        server.start()
        server.stop()
    finally:
        os.umask(before)

    assert mode(tmp_path / "home") == mode(server.home) == 0o700
    for name in ("password", "port", "server.log"):
        assert mode(server.home / name) == 0o600, name
