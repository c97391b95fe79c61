from __future__ import annotations

import sys
from io import StringIO
from types import ModuleType

import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations import operations as django
from django.db.migrations.graph import MigrationGraph

from pingvas.core.db import operations as ours
from pingvas.core.db import releases
from pingvas.core.db.functions import GenRandomUUID, Now
from pingvas.core.db.migration_safety import UnknownRelease, find_dangers
from pingvas.core.db.schema import Index

CREATE_PHOTO = django.CreateModel(
    "Photo",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("caption", models.CharField(max_length=100)),
        ("price", models.DecimalField(max_digits=4, decimal_places=2, null=True)),
        ("shelf", models.CharField(max_length=20, db_default="left")),
        ("note", models.TextField(null=True)),
    ],
    options={
        "indexes": [Index(fields=["note"], name="idx_photo_note")],
        "db_table": "photos",
    },
)
CREATE_FRAME = django.CreateModel(
    "Frame", [("id", models.BigAutoField(primary_key=True))]
)
CHECK = models.CheckConstraint(
    condition=models.Q(price__gt=0), name="photo_price_check"
)
UNIQUE = models.UniqueConstraint(fields=["caption"], name="photo_caption_key")
INDEX = Index(fields=["caption"], name="idx_photo_caption")
CAPTION = models.CharField(max_length=100)
TEXT = models.TextField(null=True)


def migration(name, *operations, after=None, atomic=True, **extra):
    made = type(
        "Migration",
        (migrations.Migration,),
        # A module of Django's, so that the imports of this file are not judged.
        {
            "operations": list(operations),
            "atomic": atomic,
            "__module__": "django.db.migrations",
            **extra,
        },
    )(name, "darkroom")
    made.dependencies = [("darkroom", after)] if after else []
    return made


def graph_of(*chain):
    graph, before = MigrationGraph(), None
    for one in chain:
        key = ("darkroom", one.name)
        graph.add_node(key, one)
        if before:
            graph.add_dependency(one, key, before)
        before = key
    return graph


def judge(*operations, released="0001_initial", between=(), **extra):
    """What is said of one migration after a release with photos and frames."""
    chain = [migration("0001_initial", CREATE_PHOTO, CREATE_FRAME)]
    if between:
        chain.append(migration("0002_between", *between))
    chain.append(migration("0003_change", *operations, **extra))
    marks = {"darkroom": released} if released else {}
    return find_dangers(graph_of(*chain), {"darkroom": "darkroom"}, marks)


def rules(*operations, **extra):
    return [finding.danger.rule for finding in judge(*operations, **extra)]


def field(name, kind):
    return django.AddField("photo", name, kind)


def alter(name, kind):
    return django.AlterField("photo", name, kind)


def do_nothing(apps, editor):
    """A data migration's body."""


def sql(text):
    return django.RunSQL(text, django.RunSQL.noop)


BAD = {
    "a required column": (field("x", models.TextField()), "required-column"),
    "a default only in Python": (
        field("x", models.TextField(default="")),
        "required-column",
    ),
    "a default for each row": (
        field("x", models.UUIDField(db_default=GenRandomUUID())),
        "rewritten-table",
    ),
    "a generated column": (
        field(
            "x",
            models.GeneratedField(
                expression=models.F("id"),
                output_field=models.BigIntegerField(),
                db_persist=True,
            ),
        ),
        "rewritten-table",
    ),
    "a unique column": (
        field("x", models.TextField(null=True, unique=True)),
        "unique-column",
    ),
    "an indexed column": (
        field("x", models.TextField(null=True, db_index=True)),
        "indexed-column",
    ),
    "a foreign key with Django's index": (
        field("x", models.ForeignKey("Frame", models.CASCADE, null=True)),
        "indexed-column",
    ),
    "a checked column": (
        field("x", models.PositiveIntegerField(null=True)),
        "checked-column",
    ),
    "a removed column": (django.RemoveField("photo", "note"), "removed-column"),
    "a renamed column": (
        django.RenameField("photo", "caption", "title"),
        "renamed-column",
    ),
    "another column name": (
        alter("caption", models.CharField(max_length=100, db_column="title")),
        "renamed-column",
    ),
    "a removed table": (django.DeleteModel("Photo"), "removed-table"),
    "a renamed model": (django.RenameModel("Frame", "Border"), "renamed-table"),
    "a renamed table": (
        django.AlterModelTable("photo", "pictures"),
        "renamed-table",
    ),
    "another type": (alter("note", models.IntegerField(null=True)), "changed-type"),
    "a shorter text": (
        alter("caption", models.CharField(max_length=50)),
        "changed-type",
    ),
    "another scale": (
        alter("price", models.DecimalField(max_digits=5, decimal_places=3, null=True)),
        "changed-type",
    ),
    "NULL forbidden": (alter("note", models.TextField()), "not-null"),
    "NULL forbidden with a default": (
        alter("note", models.TextField(db_default="")),
        "not-null",
    ),
    "a default dropped": (
        alter("shelf", models.CharField(max_length=20)),
        "dropped-default",
    ),
    "uniqueness added": (
        alter("caption", models.CharField(max_length=100, unique=True)),
        "unique-column",
    ),
    "an index": (django.AddIndex("photo", INDEX), "index"),
    "an index dropped": (
        django.RemoveIndex("photo", "idx_photo_note"),
        "dropped-index",
    ),
    "a check": (django.AddConstraint("photo", CHECK), "constraint"),
    "a unique constraint": (django.AddConstraint("photo", UNIQUE), "constraint"),
    "unique together": (
        django.AlterUniqueTogether("photo", {("caption", "shelf")}),
        "constraint",
    ),
    "an order": (django.AlterOrderWithRespectTo("photo", "frame"), "constraint"),
    "data without a way back": (
        django.RunPython(do_nothing, atomic=False),
        "irreversible",
    ),
    "data in one transaction": (
        django.RunPython(do_nothing, do_nothing),
        "data-in-one-transaction",
    ),
    "SQL without a way back": (django.RunSQL("SELECT 1"), "irreversible"),
    "a column forgotten by hand": (
        django.SeparateDatabaseAndState(
            state_operations=[django.RemoveField("photo", "caption")]
        ),
        "forgotten-required-column",
    ),
    "something hidden in a separation": (
        django.SeparateDatabaseAndState(
            database_operations=[django.AddIndex("photo", INDEX)]
        ),
        "index",
    ),
    "a concurrent index in a transaction": (
        ours.AddIndexConcurrently("photo", INDEX),
        "transaction",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_dangerous_operation_is_named(name):
    operation, rule = BAD[name]
    found = judge(operation)
    assert [finding.danger.rule for finding in found] == [rule]
    assert found[0].danger.why
    assert found[0].danger.instead


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("CREATE INDEX i ON photos (note)", "sql-index"),
        ('CREATE UNIQUE INDEX "i" ON ONLY "photos" (note)', "sql-index"),
        ("DROP INDEX idx_photo_note", "sql-dropped-index"),
        ("DROP TABLE photos", "sql-removed-table"),
        ("UPDATE photos SET note = ''", "sql-data"),
        ("DELETE FROM photos WHERE note IS NULL", "sql-data"),
        ("TRUNCATE photos", "sql-lock"),
        ("LOCK TABLE photos", "sql-lock"),
        ("VACUUM FULL photos", "sql-lock"),
        ("REINDEX TABLE photos", "sql-lock"),
        ("REFRESH MATERIALIZED VIEW stats", "sql-lock"),
        ("ALTER TABLE photos DROP COLUMN note", "sql-removed-column"),
        ("alter table photos rename note to remark", "sql-renamed-column"),
        ("ALTER TABLE photos RENAME TO pictures", "sql-renamed-table"),
        ("ALTER TABLE photos ALTER COLUMN note TYPE int", "sql-changed-type"),
        ("ALTER TABLE photos ALTER note SET NOT NULL", "sql-not-null"),
        ("ALTER TABLE photos ADD COLUMN x int NOT NULL", "sql-required-column"),
        ("ALTER TABLE photos ADD CONSTRAINT c CHECK (id > 0)", "sql-constraint"),
        ("-- said\nSELECT 1; ALTER TABLE photos\n ADD UNIQUE (note)", "sql-constraint"),
        ("ALTER TABLE prod_pingvas.x ADD COLUMN y int", "schema-name"),
    ],
)
def test_a_dangerous_statement_is_named(text, rule):
    assert rules(sql(text)) == [rule]
    assert rules(sql([text])) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX CONCURRENTLY i ON photos (note)",
        "CREATE INDEX i ON frames_of_nobody (note)",
        "-- CREATE INDEX i ON photos (note)",
        "CREATE FUNCTION f() RETURNS void AS $$ UPDATE photos SET note = ''; $$",
        "ALTER TABLE photos ADD COLUMN x int",
        "ALTER TABLE photos ADD COLUMN x int NOT NULL DEFAULT 0",
        "ALTER TABLE photos ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
        "ALTER TABLE photos ADD CONSTRAINT c UNIQUE USING INDEX i",
        "ALTER TABLE photos DROP COLUMN forgotten",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY stats",
        "COMMENT ON TABLE photos IS 'DROP TABLE photos; UPDATE photos'",
    ],
)
def test_a_harmless_statement_passes(text):
    assert rules(sql(text)) == []


@pytest.mark.parametrize(
    "operation",
    [
        field("x", models.TextField(null=True)),
        field("x", models.TextField(db_default="")),
        field("x", models.DateTimeField(db_default=Now())),
        field("x", models.ManyToManyField("Frame")),
        alter("caption", models.CharField(max_length=200)),
        alter("caption", models.TextField()),
        alter("price", models.DecimalField(max_digits=6, decimal_places=2, null=True)),
        alter("caption", models.CharField(max_length=100, null=True)),
        AddConstraintNotValid("photo", CHECK),
        django.RenameModel("Photo", "Picture"),
        django.AlterModelOptions("photo", {"ordering": ["caption"]}),
        django.SeparateDatabaseAndState(
            state_operations=[django.RemoveField("photo", "note")]
        ),
        django.SeparateDatabaseAndState(state_operations=[django.DeleteModel("Photo")]),
    ],
    ids=lambda operation: f"{type(operation).__name__} {operation.describe()}",
)
def test_a_harmless_operation_passes(operation):
    assert rules(operation) == []


@pytest.mark.parametrize(
    "operation",
    [
        ours.AddFilledField("photo", "x", models.UUIDField(db_default=GenRandomUUID())),
        ours.FillField("photo", "note", "caption"),
        ours.SetNotNull("photo", "note", models.TextField()),
        ours.ForgetField("photo", "caption"),
        ours.ExpandRename("photo", "caption", "title"),
        ours.AddIndexConcurrently("photo", INDEX),
        RemoveIndexConcurrently("photo", "idx_photo_note"),
        ours.AddUniqueConcurrently("photo", UNIQUE),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_our_own_operations_pass_outside_a_transaction(operation):
    assert rules(operation, atomic=False) == []
    assert rules(operation) == ["transaction"]


def test_what_no_version_runs_on_yet_may_be_changed_at_will():
    for operation, _ in BAD.values():
        if operation.reversible and not isinstance(operation, django.RunPython):
            found = rules(operation, released=None)
            assert set(found) <= {"transaction"}


def test_a_table_made_after_the_release_may_be_changed_at_will():
    lens = django.CreateModel("Lens", [("id", models.BigAutoField(primary_key=True))])
    required = django.AddField("lens", "name", models.TextField())
    assert rules(lens, required) == []
    assert rules(required, django.DeleteModel("Lens"), between=[lens]) == []


def test_a_column_made_after_the_release_may_be_taken_back():
    assert rules(django.RemoveField("photo", "x"), between=[field("x", TEXT)]) == []


def test_a_column_is_not_required_in_the_release_that_adds_it():
    late = ours.SetNotNull("photo", "x", models.TextField())
    assert rules(late, between=[field("x", TEXT)], atomic=False) == ["required-column"]
    released = {"between": [field("x", TEXT)], "released": "0002_between"}
    assert rules(late, atomic=False, **released) == []


def test_a_contraction_waits_for_the_release_after_its_expansion():
    expand = ours.ExpandRename("photo", "caption", "title")
    contract = ours.ContractRename("photo", "caption", "title", CAPTION)
    too_early = rules(contract, between=[expand], atomic=False)
    assert too_early == ["transaction", "contracted-too-early"]
    released = {"between": [expand], "released": "0002_between"}
    assert rules(contract, atomic=False, **released) == []


def test_a_forgotten_column_is_dropped_in_the_release_after():
    forget = ours.ForgetField("photo", "caption")
    drop = ours.DropForgottenField("photo", "caption", CAPTION)
    assert "contracted-too-early" in rules(drop, between=[forget], atomic=False)
    released = {"between": [forget], "released": "0002_between"}
    assert rules(drop, atomic=False, **released) == []
    assert rules(sql("ALTER TABLE photos DROP COLUMN caption"), **released) == []


def test_a_constraint_is_validated_in_a_transaction_of_its_own():
    validate = ValidateConstraint("photo", CHECK.name)
    both = [AddConstraintNotValid("photo", CHECK), validate]
    assert rules(*both) == ["validated-at-once"]
    assert rules(validate, between=both[:1]) == []


def test_what_cannot_be_done_twice_stands_alone_outside_a_transaction():
    add, fill = field("x", TEXT), ours.FillField("photo", "x", "''")
    assert rules(add, fill, atomic=False) == ["not-repeatable"]
    assert rules(add, atomic=False) == []


def test_a_reason_lets_one_danger_pass_and_is_kept():
    reasons = {"index photo.idx_photo_caption": "Five rows."}
    found = judge(
        django.AddIndex("photo", INDEX),
        django.AddConstraint("photo", CHECK),
        safe_because=reasons,
    )
    assert [(finding.key, finding.reason) for finding in found] == [
        ("index photo.idx_photo_caption", "Five rows."),
        ("constraint photo.photo_price_check", None),
    ]


def test_a_reason_for_nothing_is_refused():
    found = judge(safe_because={"index photo.idx_gone": "Five rows."})
    assert [finding.danger.rule for finding in found] == ["stale-reason"]


def test_a_release_that_is_not_there_is_an_error():
    with pytest.raises(UnknownRelease, match=r"darkroom\.0009_gone"):
        judge(released="0009_gone")


def test_other_peoples_migrations_are_not_judged():
    chain = (
        migration("0001_initial", CREATE_PHOTO),
        migration("0002", BAD["an index"][0]),
    )
    found = find_dangers(graph_of(*chain), {}, {"darkroom": "0001_initial"})
    assert found == []


def test_code_of_an_app_is_not_imported(tmp_path, monkeypatch):
    file = tmp_path / "0003_imports.py"
    file.write_text(
        "from django.db import migrations\n"
        "import darkroom.models\n"
        "from darkroom import services\n"
        "from pingvas.core.db.schema import Index\n"
        "from pingvas.core.redis import keys\n"
        "class Migration(migrations.Migration):\n"
        "    operations = []\n"
    )
    module = ModuleType("imports_example")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    bad = migration("0003_imports", __module__="imports_example")
    graph = graph_of(migration("0001_initial", CREATE_PHOTO), bad)
    found = find_dangers(graph, {"darkroom": "darkroom"}, {"darkroom": "0001_initial"})
    assert [finding.danger.target for finding in found] == [
        "darkroom.models",
        "darkroom.services",
        "pingvas.core.redis.keys",
    ]


INITIAL = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Job", [("id", models.BigAutoField(primary_key=True))],
            options={"db_table": "jobs"},
        ),
    ]
"""
CHANGE = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("workers", "0001_initial")]
    operations = [
        migrations.AddField("job", "name", models.TextField()),
    ]
"""


@pytest.fixture
def migrated(tmp_path, monkeypatch, settings):
    """An app of ours whose migrations are a folder that the test writes."""
    folder = tmp_path / "made_up_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_initial.py").write_text(INITIAL)
    (folder / "0002_change.py").write_text(CHANGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"workers": "made_up_migrations"}
    # This project's own migrations have a test of their own.
    monkeypatch.setattr(releases, "_is_ours", lambda app: app.label == "workers")
    yield folder
    for name in [name for name in sys.modules if name.startswith("made_up_migrations")]:
        del sys.modules[name]


def run_check(*arguments):
    out = StringIO()
    try:
        call_command("check_migrations", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def test_the_command_names_file_operation_reason_and_way_out(migrated):
    (migrated / "released.txt").write_text("0001_initial\n")
    said, error = run_check()
    assert "0002_change.py: AddField job.name [required-column]" in said
    assert "every insert would fail" in said
    assert "FillField and SetNotNull in the next release" in said
    assert 'safe_because = {"required-column job.name"' in said
    assert error.startswith("1 dangerous operation(s)")


def test_the_command_shows_what_it_lets_pass(migrated):
    (migrated / "released.txt").write_text("0001_initial\n")
    reason = (
        '    safe_because = {"required-column job.name": "Nobody works at night."}\n'
    )
    (migrated / "0002_change.py").write_text(CHANGE + reason)
    said, error = run_check()
    assert "[required-column] allowed: Nobody works at night." in said
    assert error == ""


def test_the_command_marks_a_release(migrated):
    said, error = run_check()
    assert "workers: not released yet" in said
    assert error == ""
    assert "workers: released up to 0002_change" in run_check("--mark-released")[0]
    assert (migrated / "released.txt").read_text() == "0002_change\n"
    assert "Migrations are safe to run" in run_check()[0]


def test_a_release_without_its_migration_stops_the_command(migrated):
    (migrated / "released.txt").write_text("0009_gone\n")
    assert "names workers.0009_gone, which is not there" in run_check()[1]


def test_the_migrations_of_this_project_are_safe():
    assert run_check()[1] == ""
