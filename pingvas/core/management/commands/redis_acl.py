from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from pingvas.core.redis_users import NEWEST, USERS, list_rules
from pingvas.env import env_secret


class Command(BaseCommand):
    """Print the users of Redis as its `aclfile` wants them; needs no server."""

    help = (
        "Prints Redis' users and what each may do, for its setting aclfile; passwords "
        "as digests. Reads REDIS_PASSWORD (the administrator's), REDIS_WEB_PASSWORD, "
        "REDIS_WORKER_PASSWORD."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, help="a file to replace by them")
        parser.add_argument(
            "--redis-version",
            type=version_of,
            default=NEWEST,
            help="of a server that is older than 7.2",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = {
            "administrator": env_secret("REDIS_PASSWORD"),
            "web": env_secret("REDIS_WEB_PASSWORD"),
            "worker": env_secret("REDIS_WORKER_PASSWORD"),
        }
        rules = "\n".join(
            list_rules(USERS, passwords, version=options["redis_version"])
        )
        if options["output"] is None:
            self.stdout.write(rules)
        else:
            replace_file(options["output"], f"{rules}\n")


def version_of(text: str) -> tuple[int, ...]:
    """The numbers of a version like 7.0.15."""
    return tuple(int(part) for part in text.split("."))


def replace_file(path: Path, text: str) -> None:
    """Replace a file as a whole; Redis reads it as another user."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(path)
