"""The web process as production runs it, on the test's database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@contextmanager
def running_web(log, **changes):
    """Serves on a free port; its address. `changes` are variables of its own."""
    port = _free_port()
    database = conninfo_to_dict(os.environ["DATABASE_URL"])
    name = connections["default"].settings_dict["NAME"]
    environment = {
        "DATABASE_URL": f"postgresql://app_user:{database['password']}"
        f"@{database['host']}:{database['port']}/{name}",
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
        "DB_POOL_MIN": "1",
    }
    command = [sys.executable, "-m", "uvicorn", "pingvas.asgi:application"]
    command += ["--port", str(port), "--lifespan", "off", "--log-level", "warning"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment | changes,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
