from __future__ import annotations

import json
import os
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections

from accounts.models import User
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.management.commands.index_report import _size
from tests.cast import make_user
from tests.database import admin_connection, owner_connection

pytestmark = pytest.mark.django_db(transaction=True)


def report(*arguments, **options):
    out = StringIO()
    call_command("index_report", *arguments, stdout=out, **options)
    return out.getvalue()


def unused(said):
    return {item["index"]: item for item in json.loads(said)["unused"]}


@pytest.fixture
def fresh_statistics():
    with admin_connection() as admin:
        admin.execute("SELECT pg_stat_reset()")


@pytest.fixture
def readonly():
    """A Django connection as the analysts' role."""
    connection = connections["default"].copy("readonly")
    connection.settings_dict["USER"] = "readonly_user"
    connection.settings_dict["PASSWORD"] = os.environ["DB_READONLY_PASSWORD"]
    connection.settings_dict["OPTIONS"] = {
        key: value
        for key, value in connection.settings_dict["OPTIONS"].items()
        if key != "pool"
    }
    connections["readonly"] = connection
    yield "readonly"
    connection.close()
    del connections["readonly"]


def test_an_index_is_unused_until_a_query_uses_it(fresh_statistics):
    assert "idx_users_tier" in unused(report("--json"))
    make_user("alice")
    with acting_as(SERVICE), connections["default"].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert User.objects.filter(tier="free").count() == 1
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    assert "idx_users_tier" not in unused(report("--json"))


def test_indexes_that_keep_a_rule_are_told_apart(fresh_statistics):
    found = unused(report("--json"))
    assert found["users_pkey"]["enforces"] == "primary key"
    assert found["unique_oauth"]["enforces"] == "unique"
    assert found["idx_users_tier"]["enforces"] is None


def test_the_largest_unused_index_and_the_largest_table_come_first(fresh_statistics):
    with owner_connection() as owner:
        owner.execute(
            "CREATE TABLE heavy AS SELECT n, repeat('x', 200) AS filler "
            "FROM generate_series(1, 5000) n"
        )
        owner.execute("CREATE INDEX idx_heavy ON heavy (n, filler)")
    try:
        said = json.loads(report("--json"))
        heavy = said["tables"][0]
    finally:
        with owner_connection() as owner:
            owner.execute("DROP TABLE heavy")
    assert said["unused"][0]["index"] == "idx_heavy"
    assert said["unused"][0]["size"] == heavy["indexes"] > 1_000_000
    assert heavy["table"] == "heavy"
    assert heavy["total"] >= heavy["rows"] + heavy["indexes"]


def test_the_report_reads_as_a_table(fresh_statistics):
    lines = report().splitlines()
    assert lines[0].startswith("Indexes of dev_pingvas not used since 20")
    assert lines[2].split() == ["table", "index", "size", "enforces"]
    row = next(line for line in lines if " idx_users_tier " in line).split()
    assert row[:2] == ["users", "idx_users_tier"]
    assert row[3] in ("bytes", "kB")
    assert row[4:] == ["-"]
    assert any(line.startswith("Tables of dev_pingvas") for line in lines)
    assert any(line.startswith("user_stats ") for line in lines)


def test_an_analyst_sees_the_same(readonly):
    mine, theirs = report("--json"), report("--json", database=readonly)
    assert json.loads(theirs)["tables"] == json.loads(mine)["tables"]
    assert unused(theirs)


def test_sizes_are_printed_as_postgresql_prints_them():
    with connections["default"].cursor() as cursor:
        for size in (0, 8192, 10239, 10240, 16384, 3_500_000, 80_000_000_000):
            cursor.execute("SELECT pg_size_pretty(%s::bigint)", [size])
            assert cursor.fetchone() == (_size(size),)
