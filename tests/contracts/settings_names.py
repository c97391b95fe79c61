"""Names of settings: those that the code and compose read, and those explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.contracts.house import ROOT, product_files

READERS = {
    "env_str",
    "env_secret",
    "env_bool",
    "env_int",
    "env_choice",
    "env_list",
    "env_networks",
    "database",
}
EXPLAINED = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
INTERPOLATED = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)")


def explained_names() -> list[str]:
    return EXPLAINED.findall((ROOT / ".env.example").read_text(encoding="utf-8"))


def compose_names() -> set[str]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return set(INTERPOLATED.findall(text))


def names_read_in(source: str) -> Iterator[str]:
    """Settings that a Python file reads, by our readers or from os.environ itself."""
    for node in ast.walk(ast.parse(source)):
        name = None
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            if called in READERS or called in {"os.environ.get", "os.getenv"}:
                name = node.args[0]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            name = node.slice if ast.unparse(node.value) == "os.environ" else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            # NAME_FILE is explained once, for every secret.
            yield name.value.removesuffix("_FILE")


def names_read() -> set[str]:
    return {
        name
        for file in product_files()
        for name in names_read_in(file.read_text(encoding="utf-8"))
    }
