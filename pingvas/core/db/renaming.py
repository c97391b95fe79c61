"""The two columns of a rename, and the trigger that keeps them equal.

While both exist, the running version writes the old column and the new version the new
one. Neither may find that the other's statements have left it behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from pingvas.core.db.online import Column, run_patiently, short_name


class ColumnNotCopied(RuntimeError):
    """Rows still lack the new column: dropping the old one would lose their values."""


def _of(expression: str, value: str) -> str:
    return expression.replace("{}", value)


@dataclass(frozen=True)
class Renaming:
    """`to_new` and `to_old` are SQL expressions; `{}` stands for the other's value."""

    old: Column
    new: Column
    to_new: str
    to_old: str

    def expand(self) -> None:
        """Add the new column, keep both equal, copy what is there; may be repeated."""
        self._refuse_uneven()
        self._run(*self.new.add_empty(), *self._make_trigger())
        self.new.fill(
            _of(self.to_new, self.old.name), only=f"{self.old.name} IS NOT NULL"
        )
        if not self.new.field.null:
            self.new.set_not_null()

    def take_back(self) -> None:
        """Undo `expand`: the old column holds everything."""
        self._run(*self._drop_trigger(), *self.new.drop())

    def contract(self) -> None:
        """Leave the new column alone, in one transaction.

        Between the trigger's end and the column's, an insert would fail on the old
        column's NOT NULL. Raises ColumnNotCopied when a row was not copied.
        """
        self._refuse_loss()
        self._run(*self._drop_trigger(), *self.old.drop(), *self.new.set_default())

    def restore(self) -> None:
        """Undo `contract`: both columns again, equal again; may be repeated."""
        self._run(
            *self.new.drop_default(),
            *self.old.add_empty(),
            *self.old.set_default(),
            *self._make_trigger(),
        )
        self.old.fill(
            _of(self.to_old, self.new.name), only=f"{self.new.name} IS NOT NULL"
        )
        if not self.old.field.null:
            self.old.set_not_null()

    def _run(self, *statements: str) -> None:
        run_patiently(self.new.editor, statements)

    def _refuse_uneven(self) -> None:
        if self.old.column == self.new.column:
            raise ValueError(f"{self.old.name}: old and new column are the same")
        if self.new.field.has_db_default() and not self.old.field.has_db_default():
            # The new column gets its default only when the old one has gone: until
            # then the trigger copies the old one's.
            raise ValueError(
                f"{self.new.name}: a db_default needs one on {self.old.name}"
            )

    def _refuse_loss(self) -> None:
        editor = self.new.editor
        if editor.collect_sql:
            return
        with editor.connection.cursor() as cursor:
            table = self.old.model._meta.db_table
            columns = editor.connection.introspection.get_table_description(
                cursor, table
            )
            if self.old.column not in {column.name for column in columns}:
                return
            cursor.execute(
                f"SELECT EXISTS (SELECT FROM {self.old.table} "  # noqa: S608  # names
                f"WHERE {self.new.name} IS NULL "
                f"AND {_of(self.to_new, self.old.name)} IS NOT NULL)"
            )
            if cursor.fetchone() == (True,):
                raise ColumnNotCopied(f"{self.old.name} still holds more than its copy")

    @property
    def _trigger(self) -> str:
        table, column = self.new.model._meta.db_table, self.new.column
        return short_name(self.new.editor, table, column, "sync")

    def _make_trigger(self) -> list[str]:
        old, new, trigger = self.old.name, self.new.name, self._trigger
        return [
            self._function(),
            f"CREATE OR REPLACE TRIGGER {trigger} "
            f"BEFORE INSERT OR UPDATE OF {old}, {new} ON {self.new.table} "
            f"FOR EACH ROW EXECUTE FUNCTION {trigger}()",
        ]

    def _function(self) -> str:
        """The side that a statement wrote decides; both written, the new one does.

        A value that already agrees is left alone: filling a column whose conversion
        loses something (a text "007" as a number) must not rewrite its source.
        """
        old, new = self.old.name, self.new.name
        from_old = _of(self.to_new, f"NEW.{old}")
        from_new = _of(self.to_old, f"NEW.{new}")
        return (
            f"CREATE OR REPLACE FUNCTION {self._trigger}() RETURNS trigger "
            "LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN "
            "IF TG_OP = 'INSERT' THEN "
            f"IF NEW.{new} IS NULL THEN NEW.{new} := {from_old}; "
            f"ELSE NEW.{old} := {from_new}; END IF; "
            f"ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN "
            f"IF NEW.{new} IS DISTINCT FROM {from_old} "
            f"THEN NEW.{old} := {from_new}; END IF; "
            f"ELSIF NEW.{old} IS DISTINCT FROM OLD.{old} THEN "
            f"IF NEW.{old} IS DISTINCT FROM {from_new} "
            f"THEN NEW.{new} := {from_old}; END IF; "
            "END IF; RETURN NEW; END; $$"
        )

    def _drop_trigger(self) -> list[str]:
        return [
            f"DROP TRIGGER IF EXISTS {self._trigger} ON {self.new.table}",
            f"DROP FUNCTION IF EXISTS {self._trigger}()",
        ]
