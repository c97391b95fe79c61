"""The servers of a test run: its own, apart from other runs, gone at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers import ADDRESSES, HOMES

CHECKOUT = HOMES.parents[1]
CONFIGURATION = """
[pytest]
addopts = -p tests.servers
"""
TEST = """
import os
import psycopg

def test_servers_are_throwaway():
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    with open("seen", "w") as file:
        file.write("\\n".join(os.environ[name] for name in {names!r}))
"""


def run_pytest(
    folder: Path, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(CONFIGURATION)
    (folder / "test_servers.py").write_text(TEST.format(names=ADDRESSES))
    env = {k: v for k, v in os.environ.items() if k not in (*ADDRESSES, "PINGVAS_ENV")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=folder,
        env={
            **env,
            "PYTHONPATH": str(CHECKOUT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_has_servers_of_its_own_and_stops_them(tmp_path: Path) -> None:
    """Beside another run, and in a shell that knows a real database."""
    real = "postgresql://app_user:secret@db.example.com/pingvas_db"

    done = run_pytest(tmp_path, DATABASE_URL=real, DATABASE_ADMIN_URL=real)

    assert done.returncode == 0, done.stdout
    addresses = (tmp_path / "seen").read_text().split("\n")
    assert not {real, *(os.environ[name] for name in ADDRESSES)} & set(addresses)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(addresses[0])


def test_no_servers_are_started_when_told_so(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--no-servers")

    assert done.returncode == 1
    assert 'server at "127.0.0.1", port 1 failed' in done.stdout
