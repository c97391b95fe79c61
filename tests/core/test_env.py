from __future__ import annotations

import pytest

from pingvas.env import (
    SettingError,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_networks,
    env_secret,
    env_str,
)
from tests.core.programs import MINIMAL, run_python

# Everything that reads the settings ends the same way.
STARTS = {
    "manage.py": ("manage.py", "check"),
    "asgi": ("-c", "import pingvas.asgi"),
    "celery": ("-m", "celery", "-A", "pingvas", "inspect", "ping"),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_missing_setting_ends_every_program_with_one_line(start):
    ended = run_python(MINIMAL | {"SECRET_KEY": None}, *start)
    line = "pingvas: SECRET_KEY is not set (see .env.example)\n"
    assert (ended.returncode, ended.stderr) == (1, line)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PINGVAS_ENV": "prod"}, "PINGVAS_ENV must be one of"),
        ({"WEB_THREADS": "many"}, "WEB_THREADS must be a whole number >= 1"),
        ({"DEBUG": "maybe"}, "DEBUG must be true or false"),
        ({"DATABASE_URL": "http://x"}, "DATABASE_URL is no PostgreSQL URL"),
        ({"DB_SCHEMA": "public"}, "DB_SCHEMA must be one of"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "SECRET_KEY_FILE cannot be read"),
        ({"STORAGE_BACKEND": "s3"}, "S3_BUCKET is not set"),
        (
            {
                "STORAGE_BACKEND": "s3",
                "S3_BUCKET": "pictures",
                "S3_SSE_KMS_KEY_ID": "a-key",
            },
            "S3_SSE_KMS_KEY_ID needs S3_SSE=aws:kms",
        ),
    ],
)
def test_a_wrong_value_is_named(change, words):
    ended = run_python(MINIMAL | change, "-c", "import pingvas.settings")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"pingvas: {words}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "address",
    ["postgresql://app_user:hunter2 x@db/pingvas_db", "mysql://app_user:hunter2@db/x"],
)
def test_a_password_is_never_part_of_the_complaint(address):
    change = {"DATABASE_URL": address}
    ended = run_python(MINIMAL | change, "-c", "import pingvas.settings")
    assert ended.returncode == 1
    assert "hunter2" not in ended.stderr


def test_right_settings_start():
    ended = run_python(MINIMAL, "manage.py", "check")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_secret_comes_from_a_file_before_the_variable(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    monkeypatch.setenv("PROBE", "from the variable")
    assert env_secret("PROBE") == "from the variable"
    monkeypatch.setenv("PROBE_FILE", str(file))
    assert env_secret("PROBE") == "from the file"


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch):
    monkeypatch.setenv("PROBE", "")
    assert env_str("PROBE", "default") == "default"
    assert env_int("PROBE", 7) == 7
    assert env_bool("PROBE", default=True) is True
    assert env_choice("PROBE", ["a", "b"], "b") == "b"
    assert env_list("PROBE", "a") == ["a"]
    with pytest.raises(SettingError, match="PROBE is not set"):
        env_str("PROBE")


@pytest.mark.parametrize("value", ["-1", "1.5", "--1", "²", "ten", "0x10"])
def test_only_whole_numbers_are_numbers(monkeypatch, value):
    monkeypatch.setenv("PROBE", value)
    with pytest.raises(SettingError, match="must be a whole number >= 0"):
        env_int("PROBE", 1)


def test_words_of_a_list_are_trimmed(monkeypatch):
    monkeypatch.setenv("PROBE", " a.example , ,b.example,")
    assert env_list("PROBE") == ["a.example", "b.example"]


def test_proxies_are_addresses_or_networks(monkeypatch):
    monkeypatch.setenv("PROBE", "192.0.2.1, 2001:db8::/32")
    assert list(map(str, env_networks("PROBE", ""))) == [
        "192.0.2.1/32",
        "2001:db8::/32",
    ]
    monkeypatch.setenv("PROBE", "proxy.example")
    with pytest.raises(SettingError, match="PROBE holds no addresses or networks"):
        env_networks("PROBE", "")


@pytest.mark.parametrize(
    ("value", "expected"), [("Yes", True), ("1", True), ("OFF", False), ("0", False)]
)
def test_truth_is_spelled_in_several_ways(monkeypatch, value, expected):
    monkeypatch.setenv("PROBE", value)
    assert env_bool("PROBE", default=not expected) is expected
