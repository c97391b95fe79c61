from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from django.core.files.storage import default_storage
from django.db import connections
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url

from pingvas.core.health import healthz_of
from pingvas.core.threads import STUCK_SECONDS, Occupancy
from tests.core.forwarder import Forwarder
from tests.core.programs import ROOT


def answer(port, path):
    """Status and JSON body of the running web process."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_web(environment):
    """Uvicorn as production runs it, with these settings; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "pingvas.asgi:application"]
    command += ["--port", str(port), "--lifespan", "off", "--log-level", "warning"]
    web = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        deadline = time.monotonic() + 40
        while True:
            try:
                answer(port, "healthz")
                break
            except urllib.error.URLError:
                assert web.poll() is None, "the web process ended"
                assert time.monotonic() < deadline, "the web process is silent"
                time.sleep(0.1)
        yield port
    finally:
        web.terminate()
        web.wait(20)


@pytest.mark.usefixtures("django_db_setup")
def test_a_web_process_reports_what_is_away_and_comes_back_by_itself(tmp_path):
    database = conninfo_to_dict(os.environ["DATABASE_URL"])
    redis = parse_url(os.environ["REDIS_URL"])
    name = connections["default"].settings_dict["NAME"]
    with (
        Forwarder(str(database["host"]), int(database["port"])) as postgres,
        Forwarder(redis["host"], redis["port"]) as broker,
        running_web(
            {
                "DATABASE_URL": "postgresql://app_user:"
                f"{database['password']}@127.0.0.1:{postgres.port}/{name}",
                "REDIS_URL": "redis://"
                f"{redis['username']}:{redis['password']}@127.0.0.1:{broker.port}/0",
                "MEDIA_ROOT": str(tmp_path),
                "DB_POOL_TIMEOUT": "1",
            }
        ) as port,
    ):
        assert answer(port, "readyz") == (200, {"status": "ok", "away": []})

        broker.cut()
        degraded = {"status": "degraded", "away": ["redis"]}
        assert answer(port, "readyz") == (200, degraded)

        postgres.cut()
        started = time.monotonic()
        both = {"status": "unavailable", "away": ["database", "redis"]}
        assert answer(port, "readyz") == (503, both)
        assert time.monotonic() - started < 8
        assert answer(port, "healthz") == (200, {"status": "ok"})
        status, body = answer(port, "api/v1/jobs")
        assert (status, body["error"]["code"]) == (503, "service_unavailable")

        broker.mend()
        postgres.mend()
        deadline = time.monotonic() + 30
        while answer(port, "readyz")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer(port, "readyz") == (200, {"status": "ok", "away": []})


@pytest.mark.django_db
def test_storage_that_is_away_degrades(client, monkeypatch):
    def fail(*args):
        raise OSError("no such store")

    monkeypatch.setattr(default_storage, "exists", fail)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["away"]) == (200, ["storage"])


async def ask_health(occupancy):
    """Status and body, as the event loop answers it."""
    sent = []

    async def send(message):
        sent.append(message)

    await healthz_of(occupancy)({"type": "http"}, None, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_the_process_is_well_until_requests_wait_and_none_gets_on():
    now = [0.0]
    occupancy = Occupancy(1, lambda: now[0])
    assert await ask_health(occupancy) == (200, {"status": "ok"})
    occupancy.enter()
    occupancy.enter()
    now[0] += STUCK_SECONDS
    assert await ask_health(occupancy) == (200, {"status": "ok"})
    now[0] += 1
    assert await ask_health(occupancy) == (503, {"status": "stuck"})
    occupancy.leave()
    assert await ask_health(occupancy) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_a_probe_is_not_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/readyz").status_code == 200
    assert client.get("/admin/").status_code == 301
