"""The embedded Redis: a password, durable or throwaway, nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pingvas.local.redis import EmbeddedRedis
from tests.local.test_postgres import listening_addresses

MakeServer = Callable[..., EmbeddedRedis]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    made: list[EmbeddedRedis] = []

    def make(*, durable: bool = True, name: str = "redis") -> EmbeddedRedis:
        made.append(EmbeddedRedis(tmp_path / name, durable=durable))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def set_and_restart(server: EmbeddedRedis) -> bytes | None:
    server.start()
    with redis.Redis.from_url(server.admin_url) as client:
        client.set("kept", "7")
    server.stop()
    server.start()
    with redis.Redis.from_url(server.admin_url) as client:
        return client.get("kept")


def test_durable_data_survive_a_stop(make_server: MakeServer) -> None:
    assert set_and_restart(make_server()) == b"7"


def test_throwaway_data_do_not_survive(make_server: MakeServer) -> None:
    server = make_server(durable=False)
    assert set_and_restart(server) is None
    assert {path.name for path in server.home.iterdir()} == {
        "password",
        "port",
        "redis.pid",
        "server.log",
    }


def test_nobody_gets_in_without_the_password(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    with (
        redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    assert (server.home / "password").stat().st_mode & 0o077 == 0


def test_the_server_listens_on_loopback_and_evicts_nothing(
    make_server: MakeServer,
) -> None:
    server = make_server()
    server.start()

    assert listening_addresses(server.port) == {"0100007F"}
    with redis.Redis.from_url(server.admin_url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }


def test_a_server_left_running_is_found_and_replaced(make_server: MakeServer) -> None:
    left = make_server()
    left.start()

    successor = make_server()
    assert successor.process.find() == left.process.find()
    successor.start()

    assert left.process.find() is None
    assert successor.answers()


def test_a_killed_server_starts_again_with_its_data(make_server: MakeServer) -> None:
    killed = make_server()
    killed.start()
    with redis.Redis.from_url(killed.admin_url) as client:
        client.set("kept", "7")
    os.kill(killed.process.find() or 0, signal.SIGKILL)

    again = make_server()
    again.start()

    with redis.Redis.from_url(again.admin_url) as client:
        assert client.get("kept") == b"7"


def test_a_taken_port_is_replaced_by_another(make_server: MakeServer) -> None:
    first = make_server()
    first.start()
    other = make_server(name="other")
    (other.home / "port").write_text(str(first.port))

    other.start()

    assert other.port != first.port
    assert first.answers()
    assert other.answers()


def test_another_server_could_read_what_this_one_keeps(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    with redis.Redis.from_url(server.admin_url) as client:
        client.set("kept", "7")
        assert client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.02)
    server.stop()

    files = list((server.home / "appendonlydir").glob("*.aof"))
    # Commands, and no snapshot in a form of its own version.
    assert b"kept" in b"".join(path.read_bytes() for path in files)
    assert not list(server.home.rglob("*.rdb"))
