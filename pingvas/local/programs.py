"""What `make run` keeps running, and what it does once before."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

# Highest tier first: the worker empties the queues in this order.
GENERATION_QUEUES = "queue:enterprise,queue:studio,queue:pro,queue:starter,queue:free"
MAINTENANCE_QUEUES = "sweep,maintenance"
# Workers and Beat sign in by names of their own.
WORKER_LOGIN = {
    "DATABASE_URL": "DATABASE_WORKER_URL",
    "REDIS_URL": "REDIS_WORKER_URL",
}
FEW_CONNECTIONS = {"DB_POOL_MIN": "1", "DB_POOL_MAX": "4"}

# New weights get a new number: a name goes on meaning what made a picture.
STARTER_MODEL = "starter-2"
STARTER_DESCRIPTION = (
    "Simple shapes in ten colours at 128 x 128 pixels; needs no GPU. "
    "128 x 128 픽셀의 단순한 도형; GPU가 필요 없습니다."
)

DEMO_EMAIL = "demo@pingvas.example"
STAFF_EMAIL = "staff@pingvas.example"


@dataclass(frozen=True)
class Program:
    """One long-running program.

    Attributes:
        env: variables that it gets besides the common ones.
        secrets: variables that it gets of those that give power, by the name that it
            knows them by.
        patience: seconds between the request to stop and the kill.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    patience: float = 10.0

    def variables(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Its own variables, with those of `secrets` that it names and that exist."""
        named = {
            name: secrets[source]
            for name, source in self.secrets.items()
            if source in secrets
        }
        return {**self.env, **named}


@dataclass(frozen=True)
class Step:
    """One set-up command of manage.py, safe to repeat.

    Attributes:
        privileges: variables that it gets besides the common ones; the step is
            left out when the first of them has no value.
        embedded_only: never done to a database that the caller named.
    """

    argv: tuple[str, ...]
    privileges: tuple[str, ...] = ()
    embedded_only: bool = False


PROVISION = Step(
    ("provision_database",),
    privileges=(
        "DATABASE_ADMIN_URL",
        "DB_OWNER_PASSWORD",
        "DB_APP_PASSWORD",
        "DB_WORKER_PASSWORD",
        "DB_READONLY_PASSWORD",
    ),
)
STEPS = (
    PROVISION,
    Step(("migrate", "--database", "owner"), privileges=("DATABASE_OWNER_URL",)),
    Step(("sync_schedule",)),
    Step(
        (
            *("add_model", "workers/starter/weights", "--base", "sd15"),
            *("--name", STARTER_MODEL, "--description", STARTER_DESCRIPTION),
        )
    ),
    Step(("sync_staff_groups",)),
    Step(
        ("create_demo_accounts",),
        privileges=("DEMO_PASSWORD", "STAFF_PASSWORD"),
        embedded_only=True,
    ),
)


def list_programs(port: int) -> list[Program]:
    """Return the programs in the order of their start; they stop in reverse."""
    return [
        Program("web", _web(port), patience=15.0),
        # A job in progress goes back to its queue instead of being waited for.
        Program(
            "generation",
            _worker("generation", GENERATION_QUEUES),
            env={
                **FEW_CONNECTIONS,
                "REMAP_SIGTERM": "SIGQUIT",
                "WORKER_KIND": "generation",
                # The first picture does not wait for its model.
                "WORKER_WARM_MODELS": STARTER_MODEL,
            },
            secrets=WORKER_LOGIN,
            patience=15.0,
        ),
        Program(
            "maintenance",
            # The second child sweeps on while the first is at a long audit.
            _worker("maintenance", MAINTENANCE_QUEUES, children=2),
            env={**FEW_CONNECTIONS, "WORKER_KIND": "maintenance"},
            # It alone signs what the ledger says.
            secrets={**WORKER_LOGIN, "LEDGER_SIGNING_KEY": "LEDGER_SIGNING_KEY"},
        ),
        Program("beat", _beat(), FEW_CONNECTIONS, WORKER_LOGIN),
    ]


def _web(port: int) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "uvicorn", "pingvas.asgi:application"),
        *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"),
        *("--timeout-graceful-shutdown", "10"),
        # Forwarded headers and the log of requests are ours: see pingvas.core.serving.
        *("--no-proxy-headers", "--no-access-log"),
        *("--http", "pingvas.core.http:PromptHttp"),
        *("--ws", "pingvas.core.websocket:BoundedWebSocket"),
    )


def _worker(name: str, queues: str, *, children: int = 1) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "celery", "-A", "pingvas", "worker"),
        *("-n", f"{name}@%h", "-Q", queues),
        *("--concurrency", str(children)),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    )


def _beat() -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "celery", "-A", "pingvas", "beat"),
        *("--loglevel", "INFO", "--pidfile", ""),
    )
