"""The migrated schema is the specification's, object by object."""

from __future__ import annotations

from collections import Counter

import pytest
from django.core.management import call_command
from django.db import connections

from tests.contracts.catalog import Catalog, Thing, read_catalog
from tests.contracts.comparison import (
    ADDED_RELATIONS,
    ADDED_THINGS,
    DEPARTURES,
    added,
    departed,
    stale_additions,
    without_reason,
)
from tests.contracts.scratch import catalog_of, load_specification, scratch_database
from tests.database import connect

COMPARED = {
    "relation": 11,
    "relation comment": 10,
    "view definition": 1,
    "column": 119,
    "column nullability": 119,
    "column default": 38,
    "column comment": 7,
    "constraint": 51,
    "constraint comment": 1,
    "index": 59,
    "row security": 1,
    "policy": 3,
    "policy roles": 3,
    "policy expression": 3,
    "grant": 55,
    "schema": 5,
    "schema grant": 3,
    "database grant": 4,
    "role": 2,
    "extension": 2,
}


@pytest.fixture(scope="module")
def specified(django_db_setup: None) -> Catalog:
    with scratch_database("specification") as name:
        return load_specification(name)


@pytest.fixture(scope="module")
def migrated(django_db_setup: None) -> Catalog:
    return catalog_of(connections["default"].settings_dict["NAME"])


def test_the_whole_specification_is_compared(specified):
    assert Counter(thing.kind for thing in specified) == COMPARED
    assert sum(COMPARED.values()) == 497


def test_the_migrated_schema_is_the_specified_one_save_the_closed_list(
    specified, migrated
):
    assert {str(thing) for thing in departed(specified, migrated)} == set(DEPARTURES)


def test_the_closed_list_departs_only_as_it_may(specified, migrated):
    for thing in departed(specified, migrated):
        if thing.kind == "column nullability":
            assert migrated[thing] == "NOT NULL"
            assert thing._replace(kind="column default") in specified
        elif thing.kind.endswith("grant"):
            assert thing not in migrated, "a grant may be taken back, not changed"
        else:
            assert thing.kind in {
                "policy roles",
                "policy expression",
                "view definition",
            }


def test_every_addition_has_a_reason(specified, migrated):
    unexplained = without_reason(added(specified, migrated))
    assert sorted(map(str, unexplained)) == []
    reasons = [*DEPARTURES.values(), *ADDED_RELATIONS.values(), *ADDED_THINGS.values()]
    assert all(reasons)


def test_no_listed_addition_is_stale(specified, migrated):
    assert stale_additions(added(specified, migrated)) == set()


@pytest.mark.parametrize(
    ("statement", "thing"),
    [
        (
            "ALTER TABLE images DROP COLUMN thumbnail_url",
            Thing("column", "images", "thumbnail_url"),
        ),
        (
            "ALTER TABLE images ALTER s3_key TYPE text",
            Thing("column", "images", "s3_key"),
        ),
        (
            "ALTER TABLE users ALTER created_at SET DEFAULT statement_timestamp()",
            Thing("column default", "users", "created_at"),
        ),
        (
            "ALTER TABLE boards ALTER name DROP NOT NULL",
            Thing("column nullability", "boards", "name"),
        ),
        (
            "ALTER TABLE boards DROP CONSTRAINT boards_user_id_fkey;"
            "ALTER TABLE boards ADD FOREIGN KEY (user_id) REFERENCES users (id)",
            Thing("constraint", "boards", "boards_user_id_fkey"),
        ),
        (
            "ALTER TABLE users RENAME CONSTRAINT users_tier_check TO tier_check",
            Thing("constraint", "users", "users_tier_check"),
        ),
        (
            "COMMENT ON CONSTRAINT one_active_subscription_per_user ON subscriptions"
            " IS NULL",
            Thing(
                "constraint comment",
                "subscriptions",
                "one_active_subscription_per_user",
            ),
        ),
        ("DROP INDEX idx_images_public", Thing("index", "images", "idx_images_public")),
        (
            "DROP POLICY images_select_public ON images",
            Thing("policy", "images", "images_select_public"),
        ),
        (
            "ALTER TABLE images DISABLE ROW LEVEL SECURITY",
            Thing("row security", "images", ""),
        ),
        (
            "REVOKE SELECT ON boards FROM readonly_user",
            Thing("grant", "boards", "SELECT to readonly_user"),
        ),
    ],
)
def test_a_lost_object_is_noticed(specified, statement, thing):
    assert thing in departed(specified, _catalog_after(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE images ADD COLUMN surprise integer",
        "GRANT TRUNCATE ON credit_transactions TO app_user",
        "GRANT SELECT ON images TO PUBLIC",
        "GRANT TRUNCATE ON images TO service_user",
        "GRANT CREATE ON SCHEMA dev_pingvas TO service_user",
        "ALTER TABLE boards FORCE ROW LEVEL SECURITY",
        "CREATE POLICY everything ON images TO app_user USING (true)",
        "CREATE INDEX surprise ON images (width)",
        "CREATE TABLE surprise ()",
    ],
)
def test_an_addition_without_a_reason_is_noticed(specified, statement):
    assert without_reason(added(specified, _catalog_after(statement)))


def _catalog_after(statement: str) -> Catalog:
    with connect("DATABASE_ADMIN_URL") as admin:
        admin.execute(statement)
        catalog = read_catalog(admin)
        admin.rollback()
    return catalog


@pytest.mark.django_db
def test_the_models_need_no_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
