"""The web process as production runs it, on a Redis of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from pingvas.local.programs import list_programs

ROOT = Path(__file__).parents[2]


class WebProcess:
    def __init__(self, process, port):
        self.process = process
        self.port = port

    @property
    def resident_bytes(self):
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def open_sockets(self):
        names = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(1 for name in names if "socket" in os.readlink(name))


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_web(redis_url, **variables):
    port = _free_port()
    database = conninfo_to_dict(os.environ["DATABASE_URL"])
    name = connections["default"].settings_dict["NAME"]
    environment = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": f"postgresql://app_user:{database['password']}"
        f"@{database['host']}:{database['port']}/{name}",
        "LOG_LEVEL": "WARNING",
        **variables,
    }
    [command] = [each.argv for each in list_programs(port) if each.name == "web"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        _wait_for(process, port)
        yield WebProcess(process, port)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(process, port):
    deadline = time.monotonic() + 40
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert process.poll() is None, "the web process ended"
            assert time.monotonic() < deadline, "the web process is silent"
            time.sleep(0.1)
