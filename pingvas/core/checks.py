"""System checks: what must never reach production."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from redis.connection import parse_url

SHORTEST_SECRET_KEY = 50
SHORTEST_LEDGER_KEY = 32
# Of a random key in hexadecimal digits hardly ever fewer than twelve are used.
FEWEST_CHARACTERS = 10
DJANGOS_EXAMPLE = "django-insecure-"
VERIFIED_TLS = {"require", "verify-ca", "verify-full"}


def _unsafe_database(alias: str) -> CheckMessage | None:
    options = settings.DATABASES[alias]["OPTIONS"]
    if options.get("sslmode") in VERIFIED_TLS and options.get("sslrootcert"):
        return None
    return Error(
        f"The database connection {alias!r} is not protected by TLS.",
        hint="Add ?sslmode=verify-full&sslrootcert=/path/to/ca.crt to its URL.",
        id="pingvas.E003",
    )


def _weak_secret_key() -> CheckMessage | None:
    key = settings.SECRET_KEY
    if len(key) < SHORTEST_SECRET_KEY:
        problem = f"is shorter than {SHORTEST_SECRET_KEY} characters"
    elif len(set(key)) < FEWEST_CHARACTERS or key.startswith(DJANGOS_EXAMPLE):
        problem = "can be guessed"
    else:
        return None
    return Error(
        f"SECRET_KEY {problem}.",
        hint="python -c 'import secrets; print(secrets.token_urlsafe(64))'",
        id="pingvas.E002",
    )


def _open_hosts() -> CheckMessage | None:
    if "*" not in settings.ALLOWED_HOSTS:
        return None
    return Error(
        "ALLOWED_HOSTS has *: any host name would be believed.",
        hint="Name the hosts that this site answers to.",
        id="pingvas.E004",
    )


def _open_redis() -> CheckMessage | None:
    parts = parse_url(settings.REDIS_URL)  # type: ignore[no-untyped-call]  # as it is
    if parts.get("password"):
        return None
    return Error(
        "REDIS_URL has no password.",
        hint="redis://user:password@host, on a network of its own or loopback; over "
        "any other network rediss:// (TLS).",
        id="pingvas.E005",
    )


@register(Tags.security)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E001 DEBUG, E002 a weak secret key, E003 PostgreSQL without TLS, E004 any host,
    E005 Redis without a password."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage | None] = [_unsafe_database(a) for a in settings.DATABASES]
    if settings.DEBUG:
        found.append(Error("DEBUG is on in production.", id="pingvas.E001"))
    found += [_weak_secret_key(), _open_hosts(), _open_redis()]
    return [message for message in found if message]


@register(Tags.security)
def check_ledger_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E020 the maintenance worker cannot sign, E021 another process could."""
    if not settings.PRODUCTION:
        return []
    if settings.LEDGER_KEY_ASTRAY:
        return [
            Error(
                "LEDGER_SIGNING_KEY is given to a process other than the maintenance "
                "worker.",
                hint="Whoever breaks into this process could sign a ledger of theirs.",
                id="pingvas.E021",
            )
        ]
    is_signer = settings.WORKER_KIND == "maintenance"
    if is_signer and len(settings.LEDGER_SIGNING_KEY) < SHORTEST_LEDGER_KEY:
        return [
            Error(
                "LEDGER_SIGNING_KEY is missing or shorter than "
                f"{SHORTEST_LEDGER_KEY} characters.",
                hint="openssl rand -hex 32",
                id="pingvas.E020",
            )
        ]
    return []


class UnsafeProduction(SystemExit):
    """Ends the start with one line, as a wrong setting does."""


def refuse_unsafe_production() -> None:
    """For web and workers, which start without running Django's checks."""
    problems = [
        f"{message.msg} ({message.id})"
        for message in run_checks(tags=[Tags.security])
        if (message.id or "").startswith("pingvas.")
    ]
    if problems:
        raise UnsafeProduction(f"pingvas: {' '.join(problems)}")
