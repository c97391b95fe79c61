"""Record the statements of one real call, and let pgbench send the very same.

psycopg's client-side cursors send complete SQL text, so what is recorded is what the
server sees. Only ids differ from call to call; pgbench counts them up.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg.pq import TransactionStatus

from pingvas.core.db.postgresql.base import deferred_of
from pingvas.local.confinement import find_programs

# Ids that the services draw at random, in any spelling that a statement has them.
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_RATE = re.compile(r"tps = ([0-9.]+) \(without initial connection time\)")


@contextmanager
def record_statements() -> Iterator[list[str]]:
    """Collect every statement that this thread's connection sends, COMMITs included."""
    connection.ensure_connection()
    raw: Any = connection.connection
    statements: list[str] = []
    plain_factory, plain_commit = raw.cursor_factory, raw.commit

    def execute(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        ahead = deferred_of(raw).statement
        statement = cursor.mogrify(query, params)
        statements.append(f"{ahead}; {statement}" if ahead else statement)
        return plain_factory.execute(cursor, query, params, **options)

    def commit() -> None:
        if raw.info.transaction_status != TransactionStatus.IDLE:
            statements.append("COMMIT")
        plain_commit()

    raw.cursor_factory = type("Recording", (plain_factory,), {"execute": execute})
    raw.commit = commit
    try:
        yield statements
    finally:
        raw.cursor_factory = plain_factory
        del raw.commit


def script_of(statements: list[str], known: Mapping[str, str]) -> str:
    """The statements as a pgbench script.

    `known`: text that stands for a variable, such as the number of the user. Every
    other id gets a fresh value in each transaction.
    """
    return "\n".join(
        ["\\set i :i + 1", "\\set n :base + :client_id * 1000000 + :i"]
        + ["\\set user :first_user + :client_id"]
        + [_for_pgbench(statement, known) for statement in statements]
    )


def _for_pgbench(statement: str, known: Mapping[str, str]) -> str:
    fresh: dict[str, str] = {}

    def renew(found: re.Match[str]) -> str:
        text = found.group()
        for tail, variable in known.items():
            if text.endswith(tail):
                return text.removesuffix(tail) + variable
        key = text.replace("-", "")
        return fresh.setdefault(key, f"{text[:-12]}:n")

    statement = _UUID.sub(renew, statement.strip())
    # Statements that share a flight there share one here.
    return statement.replace(";", "\\;") + ";"


def run_pgbench(
    script: str, *, clients: int, transactions: int, variables: Mapping[str, int]
) -> float:
    """Transactions a second of `clients` that send `script` so many times each."""
    database = connection.settings_dict
    address = {
        "PGHOST": database["HOST"],
        "PGPORT": str(database["PORT"]),
        "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"],
        "PGDATABASE": database["NAME"],
        "PGOPTIONS": f"-c search_path={settings.DB_SCHEMA},extensions",
    }
    defines = [f"--define={name}={value}" for name, value in variables.items()]
    done = subprocess.run(  # noqa: S603 - the wheel's own program
        [
            str(Path(find_programs()) / "pgbench"),
            "--no-vacuum",
            "--protocol=simple",
            f"--client={clients}",
            f"--jobs={min(clients, os.cpu_count() or 1)}",
            f"--transactions={transactions}",
            "--define=i=0",
            *defines,
            "--file=/dev/stdin",
        ],
        env={**os.environ, **address},
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    found = _RATE.search(done.stdout)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return float(found.group(1))
