from __future__ import annotations

import pickle
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from accounts.models import User
from billing.models import CreditHold, CreditTransaction, Subscription
from billing.services.audit import Fault
from billing.services.audit_record import get_last_audit, remember_audit
from billing.services.grants import adjust_credits
from gallery.models import Image
from generation.dashboard import CREDIT_DAYS
from generation.models import GenerationJob, Worker
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.redis import credits_overview
from tests.billing.factories import make_job, make_owner
from tests.redis import redis_client
from tests.staff.world import list_page, make_rows, row_page, staff_client
from workers.tasks import audit_ledger

pytestmark = pytest.mark.django_db
LISTS = [
    User,
    GenerationJob,
    Image,
    AIModel,
    Worker,
    CreditTransaction,
    CreditHold,
    Subscription,
]


@pytest.fixture(autouse=True)
def _no_audit_known():
    redis_client().flushdb()


@pytest.fixture
def boss():
    return staff_client("dana", superuser=True)


@pytest.fixture
def rows():
    return make_rows("alice")


def test_every_list_and_every_row_opens_for_the_superuser(boss, rows):
    for model in LISTS:
        answer = boss.get(list_page(model))
        assert answer.status_code == 200, model
        assert answer.context["cl"].result_list, model
    for row in vars(rows).values():
        assert boss.get(row_page(row)).status_code == 200, row
        assert boss.get(row_page(row, "history")).status_code == 200, row


def test_the_timetable_opens_and_its_declared_entries_keep_what_they_do(boss):
    call_command("sync_schedule", verbosity=0)
    with acting_as(SERVICE):
        entry = PeriodicTask.objects.get(task="billing.audit_ledger")
    assert boss.get(list_page(PeriodicTask)).status_code == 200
    assert boss.get(reverse("admin:auth_group_changelist")).status_code == 200
    answer = boss.post(row_page(entry), {"task": "evil", "queue": "elsewhere"})
    assert answer.status_code == 302
    with acting_as(SERVICE):
        entry.refresh_from_db()
    assert (entry.enabled, entry.task) == (False, "billing.audit_ledger")
    assert boss.post(row_page(entry, "delete")).status_code == 403


def test_a_stranger_and_a_plain_user_are_sent_to_the_sign_in(client, rows):
    for visitor in (client, staff_client("eve")):
        if visitor is not client:
            with acting_as(SERVICE):
                User.objects.filter(email="eve@example.com").update(is_staff=False)
        answer = visitor.get(list_page(GenerationJob))
        assert answer.status_code == 302
        assert "login" in answer["Location"]


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("support", set(LISTS)),
        ("finance", {User, GenerationJob, CreditTransaction, CreditHold, Subscription}),
        (None, set()),
    ],
)
def test_a_role_sees_its_own_lists_and_no_other(role, seen):
    client = staff_client("sam", *([role] if role else []))
    found = {
        model for model in LISTS if client.get(list_page(model)).status_code == 200
    }
    assert found == seen
    assert client.get(list_page(PeriodicTask)).status_code == 403
    assert client.get(list_page(Group)).status_code == 403


def test_nobody_edits_or_deletes_the_books_or_the_jobs(boss, rows):
    for row in (rows.posting, rows.hold, rows.job, rows.subscription, rows.worker):
        assert boss.post(row_page(row), {"amount": 1}).status_code == 403
        assert boss.post(row_page(row, "delete"), {"post": "yes"}).status_code == 403
    for model in (CreditTransaction, CreditHold, GenerationJob, AIModel):
        name = model._meta.label_lower.replace(".", "_")
        assert boss.get(reverse(f"admin:{name}_add")).status_code == 403


def test_no_user_can_be_deleted(boss, rows):
    page = row_page(rows.user, "delete")
    assert boss.post(page, {"post": "yes"}).status_code == 403
    with acting_as(SERVICE):
        assert User.objects.filter(pk=rows.user.pk).exists()


def test_a_list_costs_the_same_queries_for_one_row_as_for_many(boss):
    def queries(model):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert boss.get(list_page(model)).status_code == 200
        return len(seen)

    make_rows("first")
    few = {model: queries(model) for model in LISTS}
    for number in range(4):
        make_rows(f"user{number}")
    assert {model: queries(model) for model in LISTS} == few
    # The ledger asks twice more: for staff's words, and for their names.
    assert max(few.values()) <= 10


def test_a_list_counts_no_further_than_its_bound(boss, monkeypatch):
    monkeypatch.setattr("pingvas.core.staff_admin.LARGEST_COUNT", 3)
    owner = make_owner("alice")
    for _number in range(5):
        make_job(owner.id)
    answer = boss.get(list_page(GenerationJob))
    assert answer.context["cl"].result_count == 3


def test_jobs_are_found_by_state_tier_owner_and_id(boss, rows):
    other = make_job(make_owner("bob").id, "cancelled", tier="pro")

    def found(**query):
        answer = boss.get(list_page(GenerationJob), query)
        return {job.pk for job in answer.context["cl"].result_list}

    assert found(status__exact="cancelled") == {other.pk}
    assert found(tier="pro") == {other.pk}
    assert found(q="Bob@") == {other.pk}
    assert found(q=str(rows.job.pk)) == {rows.job.pk}
    assert other.pk not in found(user=str(rows.user.pk))
    assert found(q="nobody") == set()


def test_a_job_tells_its_life_in_order(boss, rows):
    job = make_job(
        rows.user.id,
        "failed",
        queued_at=Now(),
        started_at=Now(),
        completed_at=Now(),
        timings={"waiting": 7, "loading": 8, "denoising": 1234},
        error_code="out_of_memory",
        error_message="The picture did not fit.",
    )
    page = boss.get(row_page(job)).content.decode()
    told = [page.index(word) for word in ("Submitted", "Started", "Ended: Failed")]
    assert told == sorted(told)
    phases = [page.index(time) for time in ("7 ms", "8 ms", "1.2 s")]
    assert phases == sorted(phases)
    assert "(&#x27;failed&#x27;" not in page
    assert "The picture did not fit." in page


def test_a_paused_model_is_written_alone(boss, rows):
    with acting_as(SERVICE):
        AIModel.objects.filter(pk=rows.model.pk).update(download_count=9)
    answer = boss.post(
        row_page(rows.model), {"description": "gone", "tags": "", "min_tier": ""}
    )
    assert answer.status_code == 302
    with acting_as(SERVICE):
        rows.model.refresh_from_db()
    assert (rows.model.is_active, rows.model.download_count) == (False, 9)
    assert rows.model.name == "starter-alice"


def test_the_tier_of_a_model_is_picked_from_those_there_are(boss, rows):
    form = {"description": "", "tags": "", "is_active": "on"}
    page = row_page(rows.model)
    assert "All tiers" in boss.get(page).content.decode()
    for tier, kept in (("pro", "pro"), ("gold", "pro"), ("", None)):
        boss.post(page, {**form, "min_tier": tier})
        with acting_as(SERVICE):
            rows.model.refresh_from_db()
        assert rows.model.min_tier == kept


def test_support_removes_a_reported_picture(rows):
    support = staff_client("sam", "support")
    answer = support.post(row_page(rows.image, "delete"), {"post": "yes"})
    assert answer.status_code == 302
    with acting_as(SERVICE):
        assert not Image.objects.filter(pk=rows.image.pk).exists()


def test_the_dashboard_shows_the_queue_the_workers_and_why_jobs_failed(boss, rows):
    make_job(rows.user.id, "in_progress")
    make_job(
        rows.user.id,
        "failed",
        completed_at=Now(),
        error_code="out_of_memory",
        error_message="The picture did not fit.",
    )
    with acting_as(SERVICE):
        Worker.objects.create(
            name="gone",
            tiers=["free"],
            hardware_class="cpu",
            device_memory=1,
            heartbeat_at=Now() - timedelta(minutes=5),
        )
    answer = boss.get(reverse("admin:index"))
    queue = answer.context["queue"]
    assert (queue["waiting"], queue["running"]) == (1, 1)
    [free] = [tier for tier in queue["tiers"] if tier.tier == "free"]
    assert free.waiting == 1
    assert free.oldest_wait >= timedelta(0)
    assert [worker.name for worker in queue["workers"]] == ["worker-alice"]
    [failure] = queue["failures"]
    assert (failure.code, failure.jobs) == ("out_of_memory", 1)
    assert "The picture did not fit." in answer.content.decode()


def test_the_dashboard_adds_up_credits_and_tells_of_the_last_audit(boss, rows):
    answer = boss.get(reverse("admin:index"))
    # 50 by staff and the free month's 300.
    assert answer.context["credits"]["granted"] == 350
    assert answer.context["credits"]["used"] == 0
    assert "No audit is known yet" in answer.content.decode()
    with acting_as(SERVICE):
        remember_audit([Fault("broken_chain", {"user_id": rows.user.id})])
    page = boss.get(reverse("admin:index")).content.decode()
    assert "1 row is at fault" in page
    assert "broken_chain" in page


def test_the_sums_are_kept_for_a_minute_and_say_their_age(boss, rows):
    first = boss.get(reverse("admin:index"))
    at = first.context["credits"]["at"]
    assert f"Added up at {at:%Y-%m-%d %H:%M:%S} UTC" in first.content.decode()
    with acting_as(SERVICE):
        adjust_credits(user_id=rows.user.id, amount=7, reason="more", staff_id=uuid4())
    with CaptureQueriesContext(connection) as seen:
        again = boss.get(reverse("admin:index")).context["credits"]
    assert not [query for query in seen if "SUM(" in query["sql"]]
    assert (again["granted"], again["at"]) == (350, at)
    key = credits_overview(at.date(), CREDIT_DAYS)
    assert 0 < cache.ttl(key) <= 60
    cache.delete(key)
    assert boss.get(reverse("admin:index")).context["credits"]["granted"] == 357


def test_the_dashboard_opens_while_the_cache_is_away(boss, rows, settings):
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}
    for _visit in range(2):
        answer = boss.get(reverse("admin:index"))
        assert answer.context["credits"]["granted"] == 350


FOREIGN = [
    pickle.dumps({"at": 1}),
    b"7",
    b"[]",
    b"{}",
    b'{"at": "2026-11-28", "faults": 1, "checks": [], "days": []}',
    b'{"at": 7, "faults": {}, "checks": 7, "days": [7]}',
]


@pytest.mark.parametrize("value", FOREIGN)
def test_what_nobody_of_us_put_into_the_cache_counts_as_not_there(boss, rows, value):
    audit_ledger()
    boss.get(reverse("admin:index"))
    names = {*redis_client().scan_iter("cache:*billing:last-audit")}
    names |= {*redis_client().scan_iter("cache:*credits:overview:*")}
    assert len(names) == 2
    for name in names:
        redis_client().set(name, value)
    answer = boss.get(reverse("admin:index"))
    assert answer.context["credits"]["granted"] == 350
    assert "No audit is known yet" in answer.content.decode()


def test_failures_are_told_in_the_readers_words(boss, rows):
    for code in ("out_of_memory", "something_new", None):
        make_job(rows.user.id, "failed", completed_at=Now(), error_code=code)
    page = boss.get(reverse("admin:index"), headers={"accept-language": "ko"})
    for words in ("메모리 부족", "something_new", "이유 없음"):
        assert words in page.content.decode(), words


def test_the_nightly_audit_leaves_its_outcome(rows):
    audit_ledger()
    record = get_last_audit()
    # The picture's job was never paid for.
    assert record is not None
    assert record.checks == ("hold_differs_from_job",)


def test_a_role_without_the_books_sees_no_credits_on_the_dashboard():
    nobody = staff_client("nora").get(reverse("admin:index"))
    assert nobody.status_code == 200
    assert "queue" not in nobody.context
    assert "credits" not in nobody.context


@pytest.mark.parametrize(
    "query",
    ["status__exact=%00", "created_at__gte=9999-12-31T23:59:59%2B23:59", "q=%00"],
)
def test_a_filter_by_what_no_column_can_hold_is_no_error_of_ours(boss, query):
    assert boss.get(f"{list_page(GenerationJob)}?{query}").status_code < 500
