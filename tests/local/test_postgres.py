"""The embedded PostgreSQL: data, port and password kept, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pingvas.local import confinement
from pingvas.local.confinement import find_programs, remove_quarters
from pingvas.local.errors import LocalError
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.processes import works_in

MakeServer = Callable[..., EmbeddedPostgres]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    made: list[EmbeddedPostgres] = []

    def make(
        home: Path = tmp_path / "postgres", *, durable: bool = False
    ) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home, durable=durable))
        return made[-1]

    yield make
    for server in made:
        server.stop()
        remove_quarters(server.home)


def ask(server: EmbeddedPostgres, statement: str) -> str:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return str(row[0]) if row else ""


def listening_addresses(port: int) -> set[str]:
    """Local addresses in state LISTEN on `port`, as the kernel writes them."""
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in tables.splitlines()]
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port
    }


def wait_until_gone(pid: int, folder: Path) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not works_in(pid, folder):
            return True
        time.sleep(0.05)
    return False


def test_data_port_and_password_survive_a_stop(make_server: MakeServer) -> None:
    first = make_server()
    first.start()
    ask(first, "CREATE TABLE kept AS SELECT 7 AS value")
    address = first.admin_url
    first.stop()
    assert not first.answers()

    second = make_server()
    second.start()

    assert second.admin_url == address
    assert ask(second, "SELECT value FROM kept") == "7"


def test_nobody_connects_without_the_password(make_server: MakeServer) -> None:
    server = make_server()
    server.start()

    with pytest.raises(psycopg.OperationalError, match="password authentication"):
        psycopg.connect(server.url("postgres", "guess", "postgres"))
    for secret in (server.home / "password", server.home / "port"):
        assert secret.stat().st_mode & 0o077 == 0


def test_the_server_listens_on_loopback_alone(make_server: MakeServer) -> None:
    server = make_server()
    server.start()

    assert listening_addresses(server.port) == {"0100007F"}
    assert f".s.PGSQL.{server.port}" not in Path("/proc/net/unix").read_text()


def test_a_home_with_a_long_path_and_any_letters_works(
    tmp_path: Path, make_server: MakeServer
) -> None:
    home = tmp_path / ("아주 긴 'path' " * 8) / ("x" * 100)

    server = make_server(home)
    server.start()

    assert len(os.fsencode(home)) > 250
    assert ask(server, "SELECT 1") == "1"


def test_no_permission_above_the_home_changes(
    tmp_path: Path, make_server: MakeServer
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    watched = [*closed.parents, closed, find_programs(), *find_programs().parents]
    before = {folder: folder.stat() for folder in watched}
    accounts = Path("/etc/passwd").read_bytes()

    server = make_server(closed / "checkout" / ".pingvas" / "postgres")
    server.start()
    server.stop()

    for folder, was in before.items():
        now = folder.stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (
            was.st_mode,
            was.st_uid,
            was.st_gid,
        ), folder
    assert Path("/etc/passwd").read_bytes() == accounts
    assert (closed / "checkout").stat().st_mode & 0o777 == 0o700


def test_a_taken_port_is_replaced_by_another(make_server: MakeServer) -> None:
    first = make_server()
    first.start()
    other = make_server(first.home.with_name("other"))
    (other.home / "port").write_text(str(first.port))

    other.start()

    assert other.port != first.port
    assert ask(first, "SELECT 1") == ask(other, "SELECT 1") == "1"


def test_a_killed_server_is_started_again_while_a_query_goes_on(
    make_server: MakeServer,
) -> None:
    killed = make_server(durable=True)
    killed.start()
    ask(killed, "CREATE TABLE kept AS SELECT 7 AS value")
    with psycopg.connect(killed.admin_url) as busy:
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
        os.kill(killed.process.find() or 0, signal.SIGKILL)

        again = make_server(durable=True)
        again.start()

        assert ask(again, "SELECT value FROM kept") == "7"
        busy.close()


def test_a_server_left_running_is_found_and_replaced(make_server: MakeServer) -> None:
    left = make_server()
    left.start()
    pid = left.process.find() or 0

    successor = make_server()
    assert successor.process.find() == pid
    successor.start()

    assert successor.process.find() != pid
    assert wait_until_gone(pid, left.data)
    assert ask(successor, "SELECT 1") == "1"


def test_a_pid_that_now_belongs_to_another_program_is_let_alone(
    make_server: MakeServer,
) -> None:
    server = make_server()
    server.start()
    server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1)
    server.process.pid_file.write_text(f"{stranger.pid}\n{server.data}\n")

    server.start()

    assert server.answers()
    assert stranger.poll() is None
    stranger.communicate(b"\n")


def test_the_server_ends_when_the_one_who_started_it_is_killed(
    tmp_path: Path, make_server: MakeServer
) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from pingvas.local.postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1]), durable=False);"
        "server.start(); print(server.process.find(), flush=True); time.sleep(60)"
    )
    home = tmp_path / "postgres"
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())

    starter.kill()
    starter.communicate()

    assert wait_until_gone(pid, home / "data")


def test_an_interrupted_initialisation_is_made_again(make_server: MakeServer) -> None:
    server = make_server()
    unfinished = server.quarters.folder / "data.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")

    server.start()

    assert ask(server, "SELECT 1") == "1"
    assert not unfinished.exists()


@pytest.mark.parametrize(
    ("version", "complaint"),
    [(None, "incomplete"), ("16", "made by PostgreSQL 16")],
)
def test_data_that_cannot_be_used_are_named_and_kept(
    make_server: MakeServer, version: str | None, complaint: str
) -> None:
    server = make_server()
    server.data.mkdir()
    (server.home / "password").write_text("secret")
    if version:
        (server.data / "PG_VERSION").write_text(f"{version}\n")

    with pytest.raises(LocalError, match=complaint) as caught:
        server.start()

    assert str(server.home) in caught.value.english
    assert str(server.home) in caught.value.korean
    assert server.data.exists()


def test_root_without_user_namespaces_gets_a_folder_outside(
    tmp_path: Path, make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "_can_run", lambda quarters: False)
    server = make_server()
    server.start()
    server.stop()

    again = make_server()
    again.start()

    assert ask(again, "SELECT 1") == "1"
    # An ordinary user needs neither a namespace nor another folder.
    assert (server.notice is None) == (os.geteuid() != 0)
    assert again.data == server.data
    again.stop()
    remove_quarters(again.home)
    assert not again.quarters.folder.exists()
