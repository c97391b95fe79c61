"""A ledger that its owner rewrote and sealed anew is told by the root of the night."""

from __future__ import annotations

import io
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from billing import migrations
from billing.models import LedgerRoot
from billing.services import heads
from billing.services.audit import audit_ledger
from billing.services.audit_record import get_last_audit
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.sql import sql_pair
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.local import LocalStore
from tests.billing.chain import rechain
from tests.billing.factories import grant, make_owner
from tests.database import owner_connection
from workers import ledger_audit, ledger_statements
from workers.ledger_statements import sign, statement_key, statement_keys
from workers.tasks import audit_ledger as nightly

pytestmark = pytest.mark.django_db(transaction=True)

SQL = sql_pair(str(migrations.__file__), "ledger_root_moment")


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    """Where statements and heads lie, of a worker that has the key."""
    settings.MEDIA_ROOT = tmp_path
    settings.LEDGER_SIGNING_KEY = "k" * 64
    return tmp_path / "audit" / "ledger"


@pytest.fixture
def alice():
    user = make_owner("alice")
    for key in "abc":
        grant(user.id, 5, key)
    return user


@pytest.fixture
def signed(alice, folder):
    """The path of a statement that was signed last night."""
    nightly()
    [path] = folder.glob("*.json")
    return path


def audit(**options):
    """What `manage.py audit_ledger` says, whatever its status."""
    out = io.StringIO()
    try:
        call_command("audit_ledger", json=True, stdout=out, **options)
    except CommandError:
        assert not json.loads(out.getvalue())["ok"]
    return json.loads(out.getvalue())


def findings():
    return [(fault["check"], fault["row"]) for fault in audit()["faults"]]


def errors(caplog):
    """What an operator is woken by."""
    return [each.message for each in caplog.records if each.levelno >= logging.ERROR]


def rewrite(statement, *values):
    """As the owner of the tables, who leaves nothing that does not fit."""
    with owner_connection() as owner, owner.transaction():
        for table in ("credit_transactions", "credit_balances"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.execute(statement, values)
        owner.execute(
            "UPDATE credit_transactions AS this SET balance_after = sum FROM ("
            "SELECT id, sum(amount) OVER (PARTITION BY user_id ORDER BY sequence) "
            "FROM credit_transactions) AS total WHERE total.id = this.id"
        )
        owner.execute(
            "UPDATE credit_balances AS this SET balance = sum FROM ("
            "SELECT user_id, sum(amount) FROM credit_transactions GROUP BY user_id"
            ") AS total WHERE total.user_id = this.user_id"
        )
        rechain(owner)
        for table in ("credit_transactions", "credit_balances"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_the_first_root_ever_is_signed_and_found_again(alice, folder):
    assert audit()["compared_with"] is None
    nightly()
    [statement], [packed] = folder.glob("*.json"), folder.glob("*.heads")
    said = json.loads(statement.read_text())["statement"]
    assert (said["users"], said["postings"], said["faults"]) == (1, 4, 0)
    assert (said["ledger"], said["previous"]) == ("dev_pingvas", None)
    [(user, sequence, _hash)] = heads.HEAD.iter_unpack(packed.read_bytes())
    assert (user, sequence) == (alice.id.bytes, 4)
    answer = audit()
    assert (answer["ok"], answer["signed"]) == (True, None)
    assert answer["compared_with"] == f"audit/ledger/{statement.name}"


def test_a_ledger_without_a_posting_has_a_root_too(folder):
    for _night in range(2):
        nightly()
    assert len(list(folder.glob("*.json"))) == 2
    assert audit()["ok"]


def test_a_ledger_that_goes_on_is_held_to_its_root_night_after_night(signed, alice):
    grant(make_owner("bob").id, 7, "d")
    grant(alice.id, 5, "e")
    assert findings() == []
    nightly()
    newest = max(signed.parent.glob("*.json"))
    said = json.loads(newest.read_text())["statement"]
    digest = ledger_statements.sha256(signed.read_bytes()).hexdigest()
    assert (said["users"], said["previous"]) == (2, digest)
    assert findings() == []


def test_a_ledger_rewritten_and_sealed_anew_is_named_by_user_and_sequence(
    signed, alice, caplog
):
    bob = make_owner("bob")
    grant(bob.id, 7, "d")
    nightly()
    grant(alice.id, 5, "e")
    rewrite(
        "UPDATE credit_transactions SET amount = 1000 WHERE sequence = 2 "
        "AND user_id = %s",
        alice.id,
    )
    assert audit_ledger() == []
    [(check, row)] = findings()
    assert check == "root_head_changed"
    assert (row["user_id"], row["sequence"]) == (str(alice.id), 4)
    assert row["signed"] != row["found"]
    nightly()
    assert errors(caplog) == ["ledger fault", "ledger root not signed"]
    record = get_last_audit()
    assert record is not None
    assert record.checks == ("root_head_changed",)


def test_postings_removed_from_the_end_are_noticed(signed, alice):
    rewrite("DELETE FROM credit_transactions WHERE sequence = 4")
    assert audit_ledger() == []
    [(check, row)] = findings()
    assert (check, row["sequence"], row["found"]) == ("root_head_changed", 4, None)


def test_the_finding_stays_until_somebody_accepts_it(signed):
    rewrite("UPDATE credit_transactions SET amount = 1000 WHERE sequence = 2")
    for _night in range(2):
        nightly()
        assert [check for check, _row in findings()] == ["root_head_changed"]
    assert list(signed.parent.glob("*.json")) == [signed]
    assert audit(accept=True)["signed"]
    assert findings() == []


def test_many_users_are_compared_batch_by_batch(signed, monkeypatch):
    monkeypatch.setattr(heads, "BATCH", 2)
    users = [make_owner(f"user{number}") for number in range(5)]
    for number, user in enumerate(users):
        grant(user.id, 5, f"u{number}")
    nightly()
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE user_id = %s", users[3].id)
    assert [row["user_id"] for _check, row in findings()] == [str(users[3].id)]


def resign(path: Path, **changes) -> None:
    """Write a statement as whoever has the key could."""
    statement = json.loads(path.read_text())["statement"]
    path.write_bytes(sign(statement | changes))


def foreign(path, settings):
    settings.LEDGER_SIGNING_KEY, ours = "f" * 64, settings.LEDGER_SIGNING_KEY
    resign(path)
    settings.LEDGER_SIGNING_KEY = ours


FORGERIES = {
    "changed": lambda path: path.write_text(path.read_text().replace(": 1", ": 2")),
    "no JSON": lambda path: path.write_text("{"),
    "other JSON": lambda path: path.write_text("[]"),
    "no text": lambda path: path.write_text('{"statement": 1, "signature": 1}'),
    "umlauts": lambda path: path.write_text(
        '{"statement": {}, "signature": "\\u00fc"}'
    ),
    "too deep": lambda path: path.write_text("[" * 9_000),
    "too large": lambda path: path.write_text(" " * 20_000),
    "no bytes": lambda path: path.write_bytes(b"\xff\xfe"),
    "heads gone": lambda path: path.with_suffix(".heads").unlink(),
    "heads changed": lambda path: path.with_suffix(".heads").write_bytes(bytes(56)),
    "heads longer": lambda path: path.with_suffix(".heads").write_bytes(bytes(112)),
    "other ledger": lambda path: resign(path, ledger="prod_pingvas"),
    "other place": lambda path: resign(path, key="audit/ledger/other.json"),
    "signed later": lambda path: resign(path, at="2026-01-01"),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_root_is_a_finding_and_no_crash(signed, forge):
    forge(signed)
    [(check, row)] = findings()
    assert (check, row["key"]) == ("root_untrusted", f"audit/ledger/{signed.name}")
    nightly()
    assert list(signed.parent.glob("*.json")) == [signed]


def test_a_root_of_another_key_is_a_finding(signed, settings):
    foreign(signed, settings)
    [(check, row)] = findings()
    assert (check, row["why"]) == ("root_untrusted", "signature is not ours")


def test_a_root_that_is_gone_is_a_finding(signed):
    for path in signed.parent.iterdir():
        path.unlink()
    assert [check for check, _row in findings()] == ["root_missing"]


def test_an_older_root_does_not_take_the_place_of_the_newest(signed):
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE sequence = 1")
    audit(accept=True)
    newest = max(signed.parent.glob("*.json"))
    newest.unlink()
    assert {check for check, _row in findings()} == {
        "root_missing",
        "root_head_changed",
    }


@pytest.mark.parametrize(
    "name", ["9999.json", "9999-12-31T00-00-00-000000.json", "2026-01-01.json"]
)
def test_an_object_in_the_store_that_is_no_root_is_told_and_in_nobodys_way(
    signed, name
):
    signed.with_name(name).write_text("junk")
    nightly()
    assert len(list(signed.parent.glob("*.json"))) == 3
    assert findings() == [("root_stray", {"key": f"audit/ledger/{name}"})]
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE sequence = 1")
    assert [check for check, _row in findings()] == ["root_stray", "root_head_changed"]


def test_junk_in_the_place_of_a_root_is_over_once_it_is_accepted(signed):
    (signed.parents[2] / statement_key(database_time())).write_text("junk")
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE sequence = 1")
    assert [check for check, _row in findings()] == [
        "root_untrusted",
        "root_head_changed",
    ]
    assert audit(accept=True)["signed"]
    assert findings() == []


def insert_root(connected, key, created_at="now", digest=bytes(32)):
    connected.execute(
        "INSERT INTO ledger_roots (key, digest, created_at) VALUES (%s, %s, %s)",
        (key, digest, created_at),
    )


MINUTE = timedelta(minutes=1)
REFUSED = {
    "far future": lambda now: "audit/ledger/9999.json",
    "next year": lambda now: statement_key(now + 525_600 * MINUTE),
    "in a minute": lambda now: statement_key(now + MINUTE),
    "long ago": lambda now: statement_key(now - 11 * MINUTE),
    "elsewhere": lambda now: statement_key(now).replace("ledger", "elsewhere"),
    "more after it": lambda now: f"{statement_key(now)}.json",
    "a line after it": lambda now: f"{statement_key(now)}\n",
    "no time": lambda now: statement_key(now)[:-12] + "z.json",
}


@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED)
def test_no_root_is_recorded_but_of_this_moment(signed, key):
    with (
        pytest.raises(IntegrityError, match="no root of the ledger of this moment"),
        acting_as(SERVICE),
        connection.cursor() as cursor,
    ):
        insert_root(cursor, key(database_time()))
    nightly()
    assert findings() == []
    assert len(list(signed.parent.glob("*.json"))) == 2


def database_time():
    with owner_connection() as owner:
        return owner.execute("SELECT clock_timestamp()").fetchone()[0]


def test_no_root_is_recorded_without_a_digests_length(signed):
    with pytest.raises(IntegrityError), acting_as(SERVICE):
        LedgerRoot.objects.create(key=statement_key(database_time()), digest=b"x")


@pytest.mark.parametrize("created_at", ["infinity", "9999-01-01", "2000-01-01"])
def test_a_root_that_nobody_signed_is_a_finding_until_it_is_accepted(
    signed, created_at
):
    key = statement_key(database_time())
    with acting_as(SERVICE), connection.cursor() as cursor:
        insert_root(cursor, key, created_at)
    for _night in range(2):
        nightly()
        assert findings() == [("root_missing", {"key": key})]
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE sequence = 1")
    assert [check for check, _row in findings()] == [
        "root_missing",
        "root_head_changed",
    ]
    accepted_and_signed_on(signed)


def accepted_and_signed_on(signed):
    """After --accept nothing comes back, and the next night's root is signed."""
    assert audit(accept=True)["signed"]
    assert findings() == []
    nightly()
    assert len(list(signed.parent.glob("*.json"))) == 3
    rewrite("UPDATE credit_transactions SET amount = 8 WHERE sequence = 1")
    assert [check for check, _row in findings()] == ["root_head_changed"]


@pytest.mark.parametrize("created_at", ["infinity", "9999-01-01", "now"])
def test_a_row_from_before_the_trigger_is_over_once_it_is_accepted(signed, created_at):
    with owner_connection() as owner, owner.transaction():
        owner.execute(SQL.reverse_sql)
        insert_root(owner, "audit/ledger/9999.json", created_at)
        owner.execute(SQL.sql)
    assert findings() == [("root_missing", {"key": "audit/ledger/9999.json"})]
    accepted_and_signed_on(signed)


def test_the_root_recorded_last_is_the_newest_where_the_clock_was_set_back(signed):
    with owner_connection() as owner:
        owner.execute("UPDATE ledger_roots SET created_at = now() + interval '1 day'")
    nightly()
    newest = max(signed.parent.glob("*.json"))
    newest.unlink()
    assert findings() == [("root_missing", {"key": f"audit/ledger/{newest.name}"})]


def test_a_root_whose_record_was_lost_is_believed_for_its_signature(signed):
    with owner_connection() as owner:
        owner.execute("DELETE FROM ledger_roots")
    assert findings() == []
    rewrite("UPDATE credit_transactions SET amount = 9 WHERE sequence = 1")
    assert [check for check, _row in findings()] == ["root_head_changed"]


def test_a_store_that_is_away_is_a_finding(signed, monkeypatch, caplog):
    def away(*args):
        raise StorageUnavailable

    monkeypatch.setattr(LocalStore, "pages", away)
    assert findings() == [("root_unreachable", {})]
    nightly()
    assert errors(caplog) == ["ledger fault", "ledger root not signed"]


def test_a_store_that_goes_away_while_it_is_written_leaves_no_record(
    alice, monkeypatch, caplog
):
    def away(*args, **options):
        raise StorageUnavailable

    monkeypatch.setattr(LocalStore, "put", away)
    nightly()
    assert errors(caplog) == ["ledger root not signed"]
    with acting_as(SERVICE):
        assert not LedgerRoot.objects.exists()


def test_no_transaction_is_open_while_the_store_is_talked_to(signed, monkeypatch):
    asked = []
    for name in ("put", "size", "pages", "read"):
        method = getattr(LocalStore, name)

        def watched(*args, method=method, **options):
            asked.append(connection.in_atomic_block)
            return method(*args, **options)

        monkeypatch.setattr(LocalStore, name, watched)
    nightly()
    assert len(asked) >= 6
    assert not any(asked)


def test_without_a_key_the_books_alone_are_proved(signed, settings, capsys):
    settings.LEDGER_SIGNING_KEY = ""
    call_command("audit_ledger")
    assert "Not compared with a signed root" in capsys.readouterr().out
    nightly()
    assert list(signed.parent.glob("*.json")) == [signed]
    with pytest.raises(CommandError, match="no root was signed"):
        call_command("audit_ledger", accept=True)


def test_the_command_names_the_root_that_it_compared_with(signed, capsys):
    call_command("audit_ledger")
    said = capsys.readouterr().out
    assert f"Compared with the signed root audit/ledger/{signed.name}." in said
    call_command("audit_ledger", accept=True)
    assert "Signed audit/ledger/" in capsys.readouterr().out


def test_whoever_acts_as_the_service_forgets_no_root(signed):
    for change in ("DELETE FROM ledger_roots", "UPDATE ledger_roots SET digest = ''"):
        with (
            pytest.raises(Exception, match="permission denied"),
            acting_as(SERVICE),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


def test_the_newest_statement_is_asked_first(signed):
    nightly()
    keys = statement_keys(LocalStore(signed.parents[2]))
    assert keys == sorted(keys, reverse=True)
    assert len(keys) == 2
    assert ledger_audit.audit().compared_with == keys[0]
