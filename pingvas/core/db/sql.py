"""Raw SQL of a migration, kept as a pair of files beside it.

`sql_pair(__file__, "ledger_guard")` in `billing/migrations/0002_x.py` loads
`billing/migrations/sql/ledger_guard.forward.sql` and `...reverse.sql`: SQL stays
readable as SQL, and every such migration can be reversed. Roles are named there as in
the specification, whatever they are called in this cluster.
"""

from __future__ import annotations

from pathlib import Path

from django.db.migrations.operations import RunSQL

from pingvas.core.db.roles import with_role_names


def sql_pair(migration_file: str, name: str) -> RunSQL:
    folder = Path(migration_file).parent / "sql"
    return RunSQL(
        sql=_read(folder / f"{name}.forward.sql"),
        reverse_sql=_read(folder / f"{name}.reverse.sql"),
    )


def _read(path: Path) -> str:
    return with_role_names(path.read_text(encoding="utf-8"))
