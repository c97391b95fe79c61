"""Read the environment once, strictly: a wrong value stops the start with one line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


class SettingError(SystemExit):
    """A setting is missing or wrong.

    Derives from SystemExit so that every entry point (manage.py, uvicorn, Celery,
    pytest) ends with this one line and without a traceback.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"pingvas: {name} {problem} (see .env.example)")


def env_str(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, "") or default
    if value is None:
        raise SettingError(name, "is not set")
    return value


def env_secret(name: str, default: str | None = None) -> str:
    """Like `env_str`; NAME_FILE names a file whose content wins over NAME."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return env_str(name, default)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingError(f"{name}_FILE", f"cannot be read: {error}") from None


def env_bool(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "").lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        raise SettingError(name, f"must be true or false, not {value!r}")
    return value in TRUE


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    value = os.environ.get(name, "") or str(default)
    if not WHOLE_NUMBER.fullmatch(value) or int(value) < minimum:
        raise SettingError(name, f"must be a whole number >= {minimum}, not {value!r}")
    return int(value)


def env_choice(name: str, choices: Sequence[str], default: str) -> str:
    value = env_str(name, default)
    if value not in choices:
        raise SettingError(name, f"must be one of {', '.join(choices)}, not {value!r}")
    return value


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated words; blanks are dropped."""
    words = (os.environ.get(name, "") or default).split(",")
    return [word.strip() for word in words if word.strip()]


def env_networks(name: str, default: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Comma-separated addresses and networks: `192.0.2.1,10.0.0.0/8`."""
    try:
        return tuple(ip_network(word) for word in env_list(name, default))
    except ValueError as error:
        raise SettingError(name, f"holds no addresses or networks: {error}") from None
