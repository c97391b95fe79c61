"""Servers and a generation worker of the fault tests' own, to be killed at will."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import Error, connections
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict

from generation.models import GenerationJob
from generation.services.sweep import sweep
from pingvas.celery import app
from pingvas.core import redis as product_redis
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.provision import PASSWORDS, Provision, provision
from pingvas.core.redis import job_progress
from pingvas.core.redis_users import USERS
from pingvas.local.credentials import load_credentials
from pingvas.local.environment import postgres_environment, redis_environment
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.programs import list_programs
from pingvas.local.redis import EmbeddedRedis
from tests.core.programs import ROOT
from tests.redis import redis_client, refusals
from tests.servers import TESTS
from tests.workers.engine import checkpoints

LEASE_SECONDS = 5
PATIENCE = 120.0
MODEL = "tiny"


class Servers:
    """PostgreSQL and Redis, and this process's Django and Celery pointed at them."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder / "postgres", durable=False)
        self.redis = EmbeddedRedis(
            folder / "redis", durable=False, users=(*USERS, TESTS)
        )
        self._credentials = load_credentials(folder / "credentials.json")
        self._patch = pytest.MonkeyPatch()
        self._before = {
            alias: dict(connections[alias].settings_dict) for alias in connections
        }

    def start(self) -> None:
        self.postgres.start()
        self.redis.start()
        self._point_celery()
        addresses = postgres_environment(self.postgres, self._credentials)
        for name, value in addresses.items():
            self._patch.setenv(name, value)
        self._point_django(
            {
                "default": conninfo_to_dict(addresses["DATABASE_URL"]),
                "owner": conninfo_to_dict(addresses["DATABASE_OWNER_URL"]),
            }
        )
        self._make_database()

    def stop(self) -> None:
        self._patch.undo()
        self._forget_clients()
        for alias, values in self._before.items():
            self._leave(alias)
            connections[alias].settings_dict.update(values)
        self.postgres.stop()
        self.redis.stop()

    def _point_celery(self) -> None:
        addresses = redis_environment(self.redis)
        addresses["REDIS_URL"] = addresses["CELERY_BROKER_URL"] = self.redis_url
        for name, value in addresses.items():
            self._patch.setenv(name, value)
        self._forget_clients()

    @property
    def redis_url(self) -> str:
        """For this process, which is web and worker at once."""
        return self.redis.url(TESTS)

    def _forget_clients(self) -> None:
        product_redis.redis_client.cache_clear()
        redis_client.cache_clear()
        app.amqp._producer_pool = app._pool = None

    def _point_django(self, parts: dict[str, Any]) -> None:
        for alias, values in parts.items():
            self._leave(alias)
            connections[alias].settings_dict.update(
                NAME=values["dbname"],
                USER=values["user"],
                PASSWORD=values["password"],
                HOST=values["host"],
                PORT=values["port"],
            )

    def _leave(self, alias: str) -> None:
        connections[alias].close()
        if hasattr(connections[alias], "close_pool"):
            connections[alias].close_pool()

    def _make_database(self) -> None:
        passwords = {role: os.environ[name] for role, name in PASSWORDS.items()}
        wanted = Provision(database="pingvas_db", passwords=passwords)
        provision(self.postgres.admin_url, wanted)
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()


class Worker:
    """The generation worker that `make run` starts: a parent and its one child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "worker.log"

    def start(self, **variables: str) -> None:
        program = next(each for each in list_programs(0) if each.name == "generation")
        own = program.variables(os.environ)
        own["CELERY_BROKER_URL"] = own["REDIS_URL"]
        environment = os.environ | own | self._settings() | variables
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                program.argv,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _settings(self) -> dict[str, str]:
        return {
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "MODEL_CACHE_ROOT": str(self._folder / "cache"),
            "MEDIA_ROOT": str(self._folder / "media"),
            "OMP_NUM_THREADS": "1",
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def child(self) -> int:
        """The process that runs the pass."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return int(path.read_text().split()[0])

    def pause(self) -> None:
        for pid in (self.pid, self.child()):
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in (self.child(), self.pid):
            os.kill(pid, signal.SIGCONT)

    def kill_child(self) -> None:
        os.kill(self.child(), signal.SIGKILL)

    def kill(self) -> int:
        """End the parent as the kernel would; returns the child that it had."""
        child = self.child()
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(timeout=20)
        self._process = None
        return child

    def terminate(self, *, group: bool) -> float:
        """Ask the parent to end, or all its processes as a service manager does.

        The seconds that it took."""
        assert self._process is not None
        begun = time.monotonic()
        (os.killpg if group else os.kill)(self.pid, signal.SIGTERM)
        self._process.wait(timeout=60)
        self._process = None
        return time.monotonic() - begun

    def stop(self) -> None:
        """End it and its child, if it has one by now."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(timeout=20)


class Media:
    """The folder of stored objects, which can be out of reach for a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "media"
        self._aside = folder / "media.away"

    def leave(self) -> None:
        self._folder.rename(self._aside)
        self._folder.symlink_to("nowhere")

    def come_back(self) -> None:
        if self._aside.exists():
            self._folder.unlink()
            self._aside.rename(self._folder)


class World:
    """One module's servers and worker; a test leaves both running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Servers(folder)
        self.worker = Worker(folder)
        self.media = Media(folder)
        self._settings: Any = None

    def open(self) -> None:
        self.servers.start()
        self._settings = override_settings(
            REDIS_URL=self.servers.redis_url, MEDIA_ROOT=self.folder / "media"
        )
        self._settings.enable()
        product_redis.redis_client.cache_clear()
        self.checkpoint = checkpoints.build("sd15", self.folder / "sd15")
        self.worker.start()

    def close(self) -> None:
        self.worker.stop()
        self._settings.disable()
        refused = refusals(self.servers.redis.admin_url)
        self.servers.stop()
        assert refused == []

    def add_model(self) -> None:
        call_command(
            "add_model", str(self.checkpoint), name=MODEL, base="sd15", verbosity=0
        )


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(happened: Callable[[], Any], what: str) -> Any:
    """Poll, and sweep as Beat would; fails after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        # PostgreSQL may be away: so it is for the sweeper.
        with suppress(Error):
            sweep()
            if result := happened():
                return result
        connections["default"].close_if_unusable_or_obsolete()
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE} seconds")


def read_job(job_id: UUID) -> GenerationJob:
    with acting_as(SERVICE):
        return GenerationJob.objects.get(id=job_id)


def wait_for_step(job: GenerationJob, attempt: int = 1) -> None:
    """Until the worker is in the middle of the job's pass."""

    def is_running() -> bool:
        row = read_job(job.id)
        if (row.status, row.attempt) != ("in_progress", attempt):
            assert row.attempt <= attempt, f"{row.status}, attempt {row.attempt}"
            assert row.status in ("queued", "in_progress"), row.status
            return False
        progress = json.loads(str(redis_client().get(job_progress(job.id)) or "{}"))
        return 0 < progress.get("step", 0) < row.steps

    redis_client().delete(job_progress(job.id))
    wait_until(is_running, f"attempt {attempt} at a step")


def wait_for_end(*jobs: GenerationJob) -> list[GenerationJob]:
    """Until all have ended; the jobs as they ended."""
    ended = ("completed", "failed", "cancelled")

    def rows() -> list[GenerationJob]:
        found = [read_job(job.id) for job in jobs]
        return found if all(row.status in ended for row in found) else []

    return list(wait_until(rows, "end of the jobs"))
