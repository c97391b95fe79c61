"""What `make run` refuses, skips and hands to its programs."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from accounts.management.commands import create_demo_accounts
from pingvas.local.__main__ import main
from pingvas.local.commands import run_command
from pingvas.local.credentials import load_credentials
from pingvas.local.environment import PRIVILEGED, compose_environment
from pingvas.local.errors import LocalError
from pingvas.local.home import Home, open_home
from pingvas.local.programs import (
    DEMO_EMAIL,
    STAFF_EMAIL,
    STEPS,
    Step,
    list_programs,
)
from pingvas.local.servers import (
    check_reachable,
    choose_servers,
    describe_environment,
)
from pingvas.local.steps import run_steps
from pingvas.local.studio import check_port, read_port, take_lock

GIVEN = {
    "PATH": os.defpath,
    "DATABASE_URL": "postgresql://app_user:secret@db.example.com/pingvas_db",
    "DATABASE_WORKER_URL": "postgresql://worker_user:secret@db.example.com/pingvas_db",
    "REDIS_URL": "redis://redis.example.com/0",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_named_with_a_way_out(taken_port: int) -> None:
    with pytest.raises(LocalError) as caught:
        check_port(taken_port)

    for text in (caught.value.english, caught.value.korean):
        assert str(taken_port) in text
        assert f"PORT={taken_port + 1} make run" in text


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "80 80"])
def test_a_port_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(LocalError, match="PORT must be a number"):
        read_port(value)


def test_the_port_is_8000_unless_named() -> None:
    assert read_port("") == 8000
    assert read_port("9001") == 9001


def test_a_second_run_in_the_same_folder_is_refused(home: Home) -> None:
    first = take_lock(home, "make run, pid 42, port 8000")

    with pytest.raises(LocalError, match="make run, pid 42, port 8000"):
        take_lock(home, "make run, pid 43, port 8001")

    first.release()
    take_lock(home, "make run, pid 44, port 8000").release()


def test_missing_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert main(["run"]) == 1

    said = capsys.readouterr().err
    assert "half-made" in said
    assert "psycopg" in said
    assert ".venv를 지우고" in said


def test_servers_that_the_caller_named_are_not_embedded(home: Home) -> None:
    servers = choose_servers(home, GIVEN)

    environment = describe_environment(home, servers, GIVEN)

    assert servers.embedded() == []
    assert environment.common["DATABASE_URL"] == GIVEN["DATABASE_URL"]
    assert environment.common["REDIS_URL"] == GIVEN["REDIS_URL"]
    # Nobody's roles get our random passwords, and no demo account is made there.
    assert set(environment.privileged) == {"LEDGER_SIGNING_KEY", "DATABASE_WORKER_URL"}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgresql://app_user:secret@127.0.0.1:1/pingvas_db"),
        ("DATABASE_WORKER_URL", "postgresql://worker_user:secret@127.0.0.1:1/x"),
        ("REDIS_URL", "redis://:secret@127.0.0.1:1/0"),
    ],
)
def test_a_named_server_that_is_away_stops_the_start(name: str, address: str) -> None:
    given = {
        "DATABASE_URL": os.environ["DATABASE_ADMIN_URL"],
        "DATABASE_WORKER_URL": os.environ["DATABASE_ADMIN_URL"],
        "REDIS_URL": os.environ["REDIS_URL"],
    }
    check_reachable(compose_environment(given, {}, {}))

    with pytest.raises(LocalError, match=name) as caught:
        check_reachable(compose_environment({**given, name: address}, {}, {}))

    assert "secret" not in str(caught.value)


def test_an_empty_variable_counts_as_unset(home: Home) -> None:
    given = {"DATABASE_URL": "", "REDIS_URL": "redis://redis.example.com/0"}

    servers = choose_servers(home, given)

    assert servers.postgres is not None
    assert servers.redis is None


def test_programs_get_no_privileges() -> None:
    secrets = dict.fromkeys(PRIVILEGED, "secret")

    environment = compose_environment({**GIVEN, **secrets}, {}, {"DEBUG": "true"})

    assert "secret" not in environment.common.values()
    assert environment.common["DEBUG"] == "true"
    granted = environment.with_privileges(("DATABASE_OWNER_URL",))
    assert granted["DATABASE_OWNER_URL"] == "secret"
    assert "DATABASE_ADMIN_URL" not in granted


def test_the_maintenance_worker_alone_gets_the_key_of_the_ledger(home: Home) -> None:
    environment = describe_environment(home, choose_servers(home, GIVEN), GIVEN)
    holders = {
        program.name: program.variables(environment.privileged)
        for program in list_programs(8000)
    }

    having = {name for name, env in holders.items() if "LEDGER_SIGNING_KEY" in env}
    assert having == {"maintenance"}
    assert len(holders["maintenance"]["LEDGER_SIGNING_KEY"]) == 64
    assert not [step for step in STEPS if "LEDGER_SIGNING_KEY" in step.privileges]


def test_web_and_workers_sign_in_to_redis_as_different_users() -> None:
    given = {"REDIS_URL": "redis://web@here", "REDIS_WORKER_URL": "redis://worker@here"}
    environment = compose_environment(given, {}, {})

    users = {
        program.name: {
            **environment.common,
            **program.variables(environment.privileged),
        }["REDIS_URL"]
        for program in list_programs(8000)
    }

    assert users.pop("web") == "redis://web@here"
    assert set(users.values()) == {"redis://worker@here"}


def test_a_redis_that_the_caller_named_serves_all_of_them() -> None:
    environment = compose_environment({"REDIS_URL": "redis://here"}, {}, {})

    for program in list_programs(8000):
        assert "REDIS_URL" not in program.variables(environment.privileged)


def test_the_callers_variables_win_over_the_defaults() -> None:
    environment = compose_environment({"DEBUG": "false"}, {}, {"DEBUG": "true"})

    assert environment.common["DEBUG"] == "false"


def test_steps_without_their_variable_are_skipped_and_said_so(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = describe_environment(home, choose_servers(home, GIVEN), GIVEN)
    needy = tuple(step for step in STEPS if step.privileges)

    run_steps(
        needy,
        environment,
        embedded=False,
        log=home.log("setup"),
        is_stopping=lambda: False,
    )

    said = capsys.readouterr().out
    skipped = "Skipping provision_database: DATABASE_ADMIN_URL is not set."
    assert said.count(skipped) == 1
    assert "Skipping migrate: DATABASE_OWNER_URL is not set." in said
    assert "create_demo_accounts" not in said
    assert not home.log("setup").exists()


def test_a_failed_step_ends_with_its_own_words(home: Home) -> None:
    environment = describe_environment(home, choose_servers(home, GIVEN), GIVEN)

    with pytest.raises(LocalError, match="no_such_command failed") as caught:
        run_steps(
            (Step(("no_such_command",)),),
            environment,
            embedded=True,
            log=home.log("setup"),
            is_stopping=lambda: False,
        )

    assert "Unknown command: 'no_such_command'" in caught.value.english


def test_the_programs_listen_on_loopback_and_the_given_port() -> None:
    web = list_programs(8123)[0]

    assert " ".join(web.argv).count("--host 127.0.0.1 --port 8123") == 1


def test_the_accounts_that_are_announced_are_the_ones_made() -> None:
    made = (create_demo_accounts.DEMO_EMAIL, create_demo_accounts.STAFF_EMAIL)

    assert made == (DEMO_EMAIL, STAFF_EMAIL)


def test_credentials_are_made_once_and_private(home: Home) -> None:
    first = load_credentials(home.credentials)

    assert load_credentials(home.credentials) == first
    assert home.credentials.stat().st_mode & 0o077 == 0
    assert len(set(first.values())) == len(first)


def test_damaged_credentials_are_named(home: Home) -> None:
    home.credentials.write_text("{")

    with pytest.raises(LocalError, match=r"credentials\.json is damaged"):
        load_credentials(home.credentials)


def test_a_command_gets_servers_that_are_gone_afterwards(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PRIVILEGED, "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    script = (
        "import os, psycopg, redis, sys;"
        "admin = psycopg.connect(os.environ['DATABASE_ADMIN_URL']);"
        "redis.Redis.from_url(os.environ['REDIS_URL']).ping();"
        "open(sys.argv[1], 'w').write(os.environ['DATABASE_ADMIN_URL']);"
        "sys.exit(7)"
    )
    seen = tmp_path / "seen"

    assert run_command(home, [sys.executable, "-c", script, str(seen)]) == 7

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(seen.read_text())


def test_a_command_that_does_not_exist_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(LocalError, match="no-such-program cannot be run"):
        run_command(home, ["no-such-program"])


def test_the_web_and_the_workers_sign_in_by_different_names(home: Home) -> None:
    environment = describe_environment(home, choose_servers(home, GIVEN), GIVEN)
    logins = {
        program.name: {
            **environment.common,
            **program.variables(environment.privileged),
        }["DATABASE_URL"].split(":")[1]
        for program in list_programs(8000)
    }
    assert logins.pop("web") == "//app_user"
    assert set(logins.values()) == {"//worker_user"}


def test_a_database_of_ones_own_needs_the_workers_address_too(home: Home) -> None:
    given = {key: value for key, value in GIVEN.items() if "WORKER" not in key}
    with pytest.raises(LocalError, match="set DATABASE_WORKER_URL"):
        describe_environment(home, choose_servers(home, given), given)
