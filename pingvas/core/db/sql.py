"""Raw SQL of a migration, kept as a pair of files beside it.

`sql_pair(__file__, "ledger_guard")` in `billing/migrations/0002_x.py` loads
`billing/migrations/sql/ledger_guard.forward.sql` and `...reverse.sql`: SQL stays
readable as SQL, and every such migration can be reversed.
"""

from __future__ import annotations

from pathlib import Path

from django.db.migrations.operations import RunSQL


def sql_pair(migration_file: str, name: str) -> RunSQL:
    folder = Path(migration_file).parent / "sql"
    return RunSQL(
        sql=(folder / f"{name}.forward.sql").read_text(encoding="utf-8"),
        reverse_sql=(folder / f"{name}.reverse.sql").read_text(encoding="utf-8"),
    )
