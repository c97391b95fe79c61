"""The console's lists and searches stay quick, however long the tables are."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import CreditHold, CreditTransaction
from gallery.models import Image
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as
from tests.cast import make_user
from tests.database import admin_connection
from tests.staff.world import list_page, staff_client

EACH = 20
LONG = "generation_jobs|credit_holds|credit_transactions|images"
FILL = (
    "INSERT INTO generation_jobs (id, user_id, tier, prompt, model, width, height, "
    "status, created_at) SELECT gen_random_uuid(), u.id, 'free', 'x', 'm', 64, 64, "
    "'completed', now() - n * interval '1 minute' FROM many_owners u, "
    "generate_series(1, 20) n",
    "INSERT INTO credit_holds (user_id, job_id, kind, amount, status, settled_amount, "
    "resolved_at) SELECT user_id, id, 'generation_usage', 1, 'settled', 1, now() "
    "FROM generation_jobs",
    "INSERT INTO credit_transactions (user_id, amount, type, job_id, balance_after, "
    "idempotency_key, sequence, created_at, row_hash) SELECT user_id, -1, "
    "'generation_usage', id, 1, 'job:' || id, row_number() OVER (PARTITION BY user_id),"
    " created_at, '' FROM generation_jobs",
    "INSERT INTO images (user_id, job_id, s3_bucket, s3_key, width, height, file_size, "
    "created_at) SELECT user_id, id, 'local', id || '.png', 64, 64, 1, created_at "
    "FROM generation_jobs",
)


@pytest.fixture
def boss(transactional_db):
    return staff_client("dana", superuser=True)


@pytest.fixture
def job(boss):
    """One job of a thousand owners', who have twenty each."""
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "INSERT INTO users (id, email, tier, is_superuser) "
            "SELECT gen_random_uuid(), 'owner' || n || '@example.com', 'pro', false "
            "FROM generate_series(1, 1000) n"
        )
        admin.execute(
            "CREATE TEMP VIEW many_owners AS SELECT id FROM users "
            "WHERE email LIKE 'owner%'"
        )
        for statement in FILL:
            admin.execute(statement)
        for table in (*LONG.split("|"), "users"):
            admin.execute(f"ANALYZE {settings.DB_SCHEMA}.{table}")
    with acting_as(SERVICE):
        return GenerationJob.objects.select_related("user").first()


def plans(client, address, **query):
    """How each question to a long table was answered."""
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address, query).status_code == 200
    asked = [one["sql"] for one in seen if re.search(rf'FROM "({LONG})"', one["sql"])]
    with acting_as(SERVICE), connection.cursor() as cursor:
        for statement in asked:
            # What went ahead of it in the same flight says who asks.
            question = re.sub(r"^(BEGIN; )?(SET LOCAL [^;]*; )*", "", statement)
            cursor.execute(f"EXPLAIN {question.replace('%', '%%')}")
            yield "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("model", [GenerationJob, CreditHold, CreditTransaction, Image])
def test_no_list_and_no_search_reads_a_whole_table(boss, job, model):
    asked = {
        "newest": {},
        "by owner's address": {"q": job.user.email},
        "by nobody's address": {"q": "nobody@example.com"},
        "by owner's id": {"q": str(job.user_id)},
        "by job's id": {"q": str(job.pk)},
    }
    for name, query in asked.items():
        found = list(plans(boss, list_page(model), **query))
        assert found, name
        for plan in found:
            whole = re.search(rf"Seq Scan on ({LONG})", plan)
            # The count stops at its bound, wherever it begins.
            assert whole is None or (name == "newest" and "Limit" in plan), (name, plan)


def test_a_users_page_reads_nothing_whole(boss, job):
    page = reverse("admin:accounts_user_change", args=[job.user_id])
    for plan in plans(boss, page):
        assert re.search(rf"Seq Scan on ({LONG})", plan) is None, plan


def test_holds_are_found_by_what_the_users_page_links_to(boss, job):
    make_user("alice")
    page = boss.get(reverse("admin:accounts_user_change", args=[job.user_id]))
    link = f"{list_page(CreditHold)}?q={job.user_id}"
    assert link in page.content.decode()
    assert boss.get(link).context["cl"].result_count == EACH
