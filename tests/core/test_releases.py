"""A version works with data of the next release, and refuses that of the one after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import sql

from pingvas.core.db import login, releases
from pingvas.core.db.login import check_connection
from pingvas.core.db.releases import VersionTooOld, check_release, record_release
from pingvas.core.db.roles import WEB
from tests.core.programs import run_python
from tests.core.test_login import STARTS, address
from tests.database import app_connection, connect, owner_connection

# What each release brings to an app; the second one adds an app.
RELEASES = [
    {"darkroom": ["0001_initial"]},
    {"darkroom": ["0002_frames", "0003_prints"], "shop": ["0001_initial"]},
    {"darkroom": ["0004_albums"], "shop": []},
    {"darkroom": ["0005_lamps"], "shop": ["0002_prices"]},
]


class Version:
    """The code of a release, as far as the guard looks at it."""

    def __init__(self, number: int) -> None:
        self.carries = _added_up(number)
        self.before = _added_up(number - 1)

    def put_on(self, monkeypatch: pytest.MonkeyPatch) -> Version:
        def released(label: str) -> str:
            return (self.before.get(label) or [""])[-1]

        def knows(label: str, name: str) -> bool:
            return name in self.carries.get(label, [])

        monkeypatch.setattr(releases, "our_apps", lambda: dict(self.carries))
        monkeypatch.setattr(releases, "released", released)
        monkeypatch.setattr(releases, "knows", knows)
        return self

    def migrate(self, owner: Any, *, back_to: int | None = None) -> None:
        """Apply all that this version carries, or only what an older one did."""
        check_release(owner)
        owner.execute("DELETE FROM django_migrations WHERE app IN ('darkroom', 'shop')")
        left = self.carries if back_to is None else _added_up(back_to)
        for app, names in left.items():
            for name in names:
                owner.execute(
                    "INSERT INTO django_migrations (app, name, applied)"
                    " VALUES (%s, %s, now())",
                    [app, name],
                )
        record_release(owner)


def _added_up(number: int) -> dict[str, list[str]]:
    carried: dict[str, list[str]] = {}
    for release in RELEASES[: number + 1] if number >= 0 else []:
        for app, names in release.items():
            carried.setdefault(app, []).extend(names)
    return carried


class Uncommitted:
    """A connection whose every change is taken back at the end of the test."""

    def __init__(self, connection: Any) -> None:
        self.execute = connection.execute

    def commit(self) -> None:
        pass


@pytest.fixture
def owner(django_db_setup: Any) -> Iterator[Any]:
    with connect("DATABASE_OWNER_URL") as connection:
        connection.execute("COMMENT ON TABLE django_migrations IS NULL")
        yield Uncommitted(connection)
        connection.rollback()


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda number: Version(number).put_on(monkeypatch)


def refusal(owner: Any) -> str:
    with pytest.raises(VersionTooOld) as refused:
        check_release(owner)
    return str(refused.value)


def test_a_version_works_with_its_own_data_and_with_the_next_ones(owner, version):
    for number in range(4):
        version(number).migrate(owner)
        check_release(owner)
        if number:
            version(number - 1)
            check_release(owner)


@pytest.mark.parametrize(
    ("serving", "migrated", "named"),
    [
        (0, 2, "darkroom.0003_prints, shop.0001_initial"),
        (1, 3, "darkroom.0004_albums"),
        (0, 3, "darkroom.0004_albums, shop.0001_initial"),
    ],
)
def test_a_version_further_back_refuses_and_names_the_migrations(
    owner, version, serving, migrated, named
):
    version(migrated).migrate(owner)
    version(serving)
    assert f"does not know {named}, and" in refusal(owner)


def test_it_does_not_migrate_either(owner, version):
    version(2).migrate(owner)
    with pytest.raises(VersionTooOld):
        version(0).migrate(owner)


def test_what_a_newer_version_wrote_stays_when_the_one_before_migrates_again(
    owner, version
):
    """Its container starts anew in the middle of the deployment, say."""
    for number in (0, 1, 2):
        version(number).migrate(owner)
    # Takes nothing back: it does not know how.
    version(1)
    record_release(owner)
    version(0)
    assert "darkroom.0003_prints" in refusal(owner)


def test_going_back_lets_the_older_version_in_again(owner, version):
    for number in range(3):
        version(number).migrate(owner)
    for number in (1, 0):
        # By the newer version's code: only that knows how.
        version(number + 1).migrate(owner, back_to=number)
        version(number)
        check_release(owner)


def test_data_that_nobody_wrote_down_anything_for_is_everybodys(owner, version):
    version(0)
    check_release(owner)
    owner.execute("COMMENT ON TABLE django_migrations IS 'words of somebody else'")
    check_release(owner)
    owner.execute("DROP TABLE django_migrations")
    check_release(owner)


def test_this_project_writes_down_its_released_migrations(django_db_setup):
    labels = [label for label in releases.our_apps() if releases.released(label)]
    assert len(labels) > 3
    with app_connection() as app:
        needed = releases._needed(app)
        check_release(app)
    assert needed == {label: releases.released(label) for label in labels}
    assert all(releases.knows(*one) for one in needed.items())
    assert not releases.knows("generation", "0999_albums")
    assert not releases.knows("shop", "0001_initial")


@pytest.fixture
def data_of_a_later_release(django_db_setup: Any) -> Iterator[None]:
    """This test's database as a version of two releases ahead would leave it."""
    read = "SELECT obj_description('django_migrations'::regclass)"
    say = sql.SQL("COMMENT ON TABLE django_migrations IS {}")
    with owner_connection() as owner:
        before = owner.execute(read).fetchone()[0]
        words = f"{releases.WORDS}generation.0999_albums"
        owner.execute(say.format(sql.Literal(words)))
        yield
        owner.execute(say.format(sql.Literal(before)))


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("web", "DATABASE_URL"),
        ("worker", "DATABASE_WORKER_URL"),
        ("beat", "DATABASE_WORKER_URL"),
    ],
)
def test_no_process_of_a_version_further_back_starts(
    data_of_a_later_release, name, variable
):
    env = os.environ | {"DATABASE_URL": address(variable)}
    ended = run_python(env, *STARTS[name])
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("pingvas: the data needs a newer version")
    assert "does not know generation.0999_albums" in last
    assert "Traceback" not in ended.stderr


def test_one_that_runs_already_gets_no_new_connection(
    data_of_a_later_release, monkeypatch
):
    with app_connection() as one:
        # What the pool calls for each connection that it opens.
        monkeypatch.setattr(login._Expected, "role", WEB)
        with pytest.raises(VersionTooOld):
            connections["default"]._configure_connection(one)
        monkeypatch.setattr(login._Expected, "role", None)
        check_connection(one)


def test_migrate_refuses_in_words(data_of_a_later_release):
    with pytest.raises(CommandError, match=r"does not know generation\.0999_albums"):
        call_command("migrate", verbosity=0)
