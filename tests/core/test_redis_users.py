"""What Redis lets the web process, the workers and anybody else do."""

from __future__ import annotations

import inspect
import re
from datetime import date
from fnmatch import fnmatchcase
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis.retry import Retry

from pingvas.core import redis as names
from pingvas.core.redis_users import PROBE, WEB, WORKER
from pingvas.local.redis import EmbeddedRedis

TAKES_THE_SERVER = [
    "CONFIG SET dir /tmp",
    "CONFIG GET *",
    "MODULE LOAD /tmp/x.so",
    "SLAVEOF 127.0.0.1 1",
    "REPLICAOF 127.0.0.1 1",
    "DEBUG SLEEP 0",
    "ACL LIST",
    "ACL SETUSER web ~*",
    "FLUSHALL",
    "FLUSHDB",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "KEYS *",
    "SCAN 0",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "MONITOR",
    "SAVE",
    "SHUTDOWN NOSAVE",
    "MIGRATE 127.0.0.1 1 key 0 1",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False)
    server.start()
    yield server
    server.stop()


def signed_in(url):
    return Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0))


@pytest.fixture(params=[WEB, WORKER], ids=lambda user: user.name)
def client(request, server):
    with signed_in(server.url(request.param)) as client:
        yield client


@pytest.mark.parametrize("command", TAKES_THE_SERVER)
def test_the_server_itself_is_out_of_reach(client, command):
    # Two of them the server refuses to everybody, before it looks at the user.
    with pytest.raises(ResponseError, match=r"no permissions|not allowed"):
        client.execute_command(*command.split())
    assert client.ping()


def test_a_script_can_do_no_more_than_its_user(client):
    for call in ("'CONFIG', 'GET', '*'", "'FLUSHALL'", "'GET', 'somebody'"):
        with pytest.raises(ResponseError):
            client.eval(f"return redis.call({call})", 0)


def test_the_web_puts_work_into_a_queue_and_never_looks_into_it(server):
    with signed_in(server.url(WEB)) as web:
        web.lpush("queue:free", "a message")
        for command in ("LRANGE queue:free 0 -1", "BRPOP queue:free 1"):
            with pytest.raises(NoPermissionError):
                web.execute_command(*command.split())
        with pytest.raises(NoPermissionError):
            web.get("unacked")
    with signed_in(server.url(WORKER)) as worker:
        assert worker.brpop("queue:free", 1) == ("queue:free", "a message")


def test_a_worker_reads_neither_tickets_nor_the_counters_of_the_door(server):
    with signed_in(server.url(WORKER)) as worker:
        for key in (
            names.ws_ticket("x"),
            names.token_blacklist("x"),
            names.sign_in_rate("x"),
            names.user_online(uuid4()),
        ):
            with pytest.raises(NoPermissionError):
                worker.get(key)


def test_nobody_listens_to_channels_that_are_not_the_products(client):
    with client.pubsub() as listener:
        listener.subscribe("__keyspace@0__:cache")
        with pytest.raises(NoPermissionError):
            listener.get_message(timeout=5)


def test_without_a_name_nobody_gets_in(server):
    nobody = Redis(port=server.port, retry=Retry(NoBackoff(), 0))
    password = (server.home / "password").read_text()
    by_password = Redis(port=server.port, password=password, retry=nobody.get_retry())
    for client in (nobody, by_password):
        with client, pytest.raises(AuthenticationError):
            client.ping()


def test_one_users_password_is_no_others(server):
    web_password = server.url(WEB).partition("@")[0].rpartition(":")[2]
    for name in ("worker", "administrator"):
        other = Redis(
            port=server.port,
            username=name,
            password=web_password,
            retry=Retry(NoBackoff(), 0),
        )
        with other, pytest.raises(AuthenticationError):
            other.ping()


def test_the_probe_sees_that_the_server_lives_and_nothing_else(server):
    probe = Redis(
        port=server.port,
        username=PROBE.name,
        password="none",
        retry=Retry(NoBackoff(), 0),
    )
    with probe:
        assert probe.ping()
        for command in ("GET cache:x", "INFO", "CLIENT LIST"):
            with pytest.raises(NoPermissionError):
                probe.execute_command(*command.split())


def test_the_administrator_loads_no_code_and_copies_the_server_nowhere(server):
    with signed_in(server.admin_url) as admin:
        assert admin.config_get("maxmemory-policy")
        assert admin.flushall()
        for command in ("REPLICAOF NO ONE", "MIGRATE 127.0.0.1 1 key 0 1"):
            with pytest.raises(NoPermissionError):
                admin.execute_command(*command.split())


def sample_keys():
    samples: dict[str, Any] = {
        "str": "x",
        "int": 1,
        "UUID": uuid4(),
        "date": date(2026, 11, 1),
    }
    for name, function in inspect.getmembers(names, inspect.isfunction):
        parameters = inspect.signature(function).parameters.values()
        if function.__module__ == names.__name__:
            yield name, function(*(samples[each.annotation] for each in parameters))


def test_every_key_that_the_product_spells_belongs_to_a_user():
    patterns = {*WEB.keys, *WORKER.keys}
    spelled = dict(sample_keys())
    assert len(spelled) > 15
    # Django puts the prefix of its cache before this one.
    spelled["credits_overview"] = f"cache:1:{spelled['credits_overview']}"
    for name, key in spelled.items():
        assert any(fnmatchcase(key, pattern) for pattern in patterns), name


def print_list(**options):
    said = StringIO()
    call_command("redis_acl", stdout=said, **options)
    return said.getvalue()


@pytest.fixture
def printed(monkeypatch):
    for name in ("REDIS_PASSWORD", "REDIS_WEB_PASSWORD", "REDIS_WORKER_PASSWORD"):
        monkeypatch.setenv(name, f"the value of {name}")
    return print_list()


def test_the_printed_list_keeps_passwords_as_digests_alone(printed):
    assert "the value" not in printed
    assert len(re.findall(r"#[0-9a-f]{64}\b", printed)) == 3
    assert printed.startswith("user default off ")


@pytest.mark.usefixtures("printed")
def test_a_server_reads_the_list_as_it_is_printed(server):
    lines = print_list(redis_version=server.program.version).splitlines()
    assert len(lines) == 5
    with signed_in(server.admin_url) as admin:
        for line in lines:
            _, name, *rules = line.split()
            assert admin.execute_command("ACL", "SETUSER", f"copy-{name}", *rules)
            admin.execute_command("ACL", "DELUSER", f"copy-{name}")


def test_the_list_is_written_as_a_whole_for_another_user_to_read(printed, tmp_path):
    target = tmp_path / "users.acl"
    target.write_text("old")
    call_command("redis_acl", output=target)
    assert target.read_text() == printed
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["users.acl"]


def test_an_older_server_is_told_no_rule_that_it_does_not_know(printed):
    said = StringIO()
    call_command("redis_acl", "--redis-version=7.0.15", stdout=said)
    assert "+client|setinfo" in printed
    assert "setinfo" not in said.getvalue()


def test_a_ticket_of_the_real_shape_is_the_webs(server):
    with signed_in(server.url(WEB)) as web:
        key = names.ws_ticket(str(UUID(int=1)))
        web.set(key, "somebody", ex=5)
        assert web.getdel(key) == "somebody"
