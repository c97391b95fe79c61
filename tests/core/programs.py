"""The project's programs, run as an operator runs them: with an environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Nothing listens on port 1: what these programs do needs no server.
MINIMAL = {
    "PATH": os.defpath,
    "PINGVAS_ENV": "test",
    "SECRET_KEY": "not-a-secret",
    "DATABASE_URL": "postgresql://app_user:none@127.0.0.1:1/pingvas_db",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
TLS = "?sslmode=verify-full&sslrootcert=/run/pingvas-ca/ca.crt"
PRODUCTION = MINIMAL | {
    "PINGVAS_ENV": "production",
    "SECRET_KEY": "a-key-of-production-length-0123456789-0123456789-abc",
    "DATABASE_URL": MINIMAL["DATABASE_URL"] + TLS,
    "REDIS_URL": "redis://:none@127.0.0.1:1/0",
}


def run_python(
    environment: dict[str, str | None], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with exactly this environment; None takes a variable away."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={name: value for name, value in environment.items() if value is not None},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
