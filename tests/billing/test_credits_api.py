from __future__ import annotations

from base64 import urlsafe_b64encode
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import include, path

from billing.models import CreditTransaction
from billing.services.grants import adjust_credits
from billing.services.holds import place_hold, settle_hold
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.factories import grant, make_job
from tests.cast import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [path("api/v1/", include("billing.api.urls"))]


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def browser(alice):
    client = Client()
    client.force_login(alice)
    return client


def test_the_first_look_finds_the_free_month(browser):
    answer = browser.get("/api/v1/credits")
    assert answer.status_code == 200
    figures = answer.json()
    assert figures.pop("last_granted_at") is not None
    assert figures == {
        "balance": 300,
        "held": 0,
        "available": 300,
        "granted_this_month": 300,
        "used_this_month": 0,
    }


def test_credits_tell_what_is_held_and_used(alice, browser):
    done = make_job(alice.id, quoted_credits=20)
    live = make_job(alice.id, quoted_credits=50)
    with acting_as(SERVICE):
        place_hold(user_id=alice.id, job_id=done.id, amount=20)
        place_hold(user_id=alice.id, job_id=live.id, amount=50)
        settle_hold(job_id=done.id, milliseconds=7000)
    figures = browser.get("/api/v1/credits").json()
    assert (figures["balance"], figures["held"], figures["available"]) == (293, 50, 243)
    assert figures["used_this_month"] == 7


@pytest.mark.parametrize("page", ["credits", "credits/transactions"])
def test_credits_are_for_people_who_are_signed_in(page):
    answer = Client().get(f"/api/v1/{page}")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_signed_in"


def test_transactions_page_by_key_from_the_newest(alice, browser):
    for number in range(5):
        grant(alice.id, 1 + number, f"grant {number}")
    first = browser.get("/api/v1/credits/transactions?limit=2").json()
    # A posting in between neither repeats nor hides a row of the next page.
    grant(alice.id, 99, "late")
    after = first["next"]
    rest = browser.get(f"/api/v1/credits/transactions?limit=9&after={after}").json()
    pages = [row["sequence"] for row in (*first["results"], *rest["results"])]
    # The free month is the first posting of all.
    assert pages == [6, 5, 4, 3, 2, 1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("sequence", "found"), [(10**30, [1]), (2, [1]), (1, []), (-(10**30), [])]
)
def test_a_made_up_cursor_only_says_where_to_go_on(browser, sequence, found):
    browser.get("/api/v1/credits")
    after = urlsafe_b64encode(f"[{sequence}]".encode()).decode()
    answer = browser.get("/api/v1/credits/transactions", {"after": after})
    assert answer.status_code == 200
    assert [row["sequence"] for row in answer.json()["results"]] == found


def test_a_transaction_shows_its_job_and_no_words_of_the_staff(alice, browser):
    job = make_job(alice.id, quoted_credits=20)
    with acting_as(SERVICE):
        place_hold(user_id=alice.id, job_id=job.id, amount=20)
        settle_hold(job_id=job.id, milliseconds=7000)
        adjust_credits(
            user_id=alice.id,
            amount=5,
            reason="a secret",
            public_note="sorry for the wait",
            staff_id=uuid4(),
        )
    answer = browser.get("/api/v1/credits/transactions")
    adjustment, usage, _ = answer.json()["results"]
    assert (usage["type"], usage["amount"]) == ("generation_usage", -7)
    assert (usage["balance_after"], usage["job_id"]) == (293, str(job.id))
    assert adjustment["type"] == "admin_adjustment"
    assert adjustment["public_note"] == "sorry for the wait"
    assert usage["public_note"] is None
    assert b"secret" not in answer.content


def test_nobody_reads_the_transactions_of_another(alice, browser):
    bob = make_user("bob")
    grant(bob.id, 1000, "of bob")
    assert browser.get("/api/v1/credits/transactions").json()["results"] == []
    with acting_as(SERVICE):
        assert CreditTransaction.objects.filter(user_id=bob.id).count() == 2


def test_plans_are_open_and_show_price_credits_and_limits():
    answer = Client().get("/api/v1/plans")
    assert answer.status_code == 200
    plans = {plan["tier"]: plan for plan in answer.json()}
    assert list(plans) == ["free", "starter", "pro", "studio", "enterprise"]
    assert plans["free"] == {
        "tier": "free",
        "currency": "USD",
        "monthly_cents": 0,
        "yearly_cents": 0,
        "monthly_credits": 300,
        "priority": 10,
        "running": 1,
        "waiting": 2,
        "longest_side": 1024,
        "submissions_in_10_minutes": 10,
        "external_api": False,
    }
    assert plans["enterprise"]["monthly_cents"] is None
    assert plans["enterprise"]["monthly_credits"] is None


def test_settings_replace_single_prices(settings):
    settings.PLAN_OVERRIDES = {"pro": {"monthly_cents": 2_500}}
    plans = {plan["tier"]: plan for plan in Client().get("/api/v1/plans").json()}
    assert plans["pro"]["monthly_cents"] == 2_500
    assert plans["pro"]["yearly_cents"] == 29_000
    assert plans["studio"]["monthly_cents"] == 8_900
