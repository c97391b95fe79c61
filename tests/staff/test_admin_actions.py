from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.urls import reverse

from accounts.models import User
from accounts.staff_groups import STAFF_GROUPS
from billing.models import CreditTransaction
from billing.selectors import get_balance_summary
from billing.services.grants import adjust_credits
from generation.models import GenerationJob
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.factories import make_job
from tests.staff.world import list_page, make_rows, row_page, staff_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    return make_rows("alice")


def act(client, row, action, key=None, **form):
    """Send the dialog; `key` is one opening of it."""
    kind = row._meta.label_lower.replace(".", "_")
    url = reverse(f"admin:{kind}_{action}", args=[row.pk])
    sent = {"_form_submitted": "on", "key": key or uuid4(), **form}
    return client.post(url, sent)


def adjust(client, user, amount, reason="a gift", key=None, **form):
    return act(client, user, "adjust", key, amount=amount, reason=reason, **form)


def balance(user):
    with acting_as(SERVICE):
        return get_balance_summary(user.pk).balance


def test_finance_adjusts_credits_and_the_ledger_says_who_and_why(rows, monkeypatch):
    told = []
    monkeypatch.setattr(
        "billing.services.grants.announce_balance",
        lambda user_id, **figures: told.append((user_id, figures["balance"])),
    )
    finance = staff_client("fay", "finance")
    with acting_as(SERVICE):
        User.objects.filter(email="fay@example.com").update(display_name="Fay Kim")
    reason = "goodwill for a lost picture"
    answer = adjust(finance, rows.user, 40, reason, public_note="Sorry!")
    assert answer["HX-Redirect"] == row_page(rows.user)
    assert balance(rows.user) == 390
    assert told == [(rows.user.pk, 390)]
    with acting_as(SERVICE):
        posting = CreditTransaction.objects.filter(user=rows.user).latest("sequence")
        fay = User.objects.get(email="fay@example.com")
        note = posting.note
    assert (posting.type, posting.amount) == ("admin_adjustment", 40)
    assert posting.description is None
    assert (note.staff_id, note.internal_reason) == (fay.pk, reason)
    page = finance.get(row_page(rows.user)).content.decode()
    assert "+40 credits. The balance is 390." in page
    # The row holds an id alone; a person reads a name.
    pages = [row_page(rows.user), list_page(CreditTransaction), row_page(posting)]
    for address in pages:
        page = finance.get(address).content.decode()
        assert "Fay Kim (fay@example.com)" in page, address
        assert reason in page
        assert ("Sorry!" in page) is (address != list_page(CreditTransaction))


def test_an_adjustment_by_an_anonymised_colleague_still_says_whose_it_was(rows):
    gone = uuid4()
    with acting_as(SERVICE):
        adjust_credits(user_id=rows.user.pk, amount=1, reason="old", staff_id=gone)
    boss = staff_client("dana", superuser=True)
    assert str(gone) in boss.get(row_page(rows.user)).content.decode()


@pytest.mark.parametrize(
    ("groups", "superuser"), [(["finance"], False), ([], True)], ids=["finance", "boss"]
)
def test_staff_book_no_credits_to_their_own_account(groups, superuser):
    client = staff_client("fay", *groups, superuser=superuser)
    with acting_as(SERVICE):
        fay = User.objects.get(email="fay@example.com")
    words = {"en": "your own account", "ko": "본인 계정의 크레딧은 조정할 수 없습니다"}
    for language, said in words.items():
        client.cookies.load({"django_language": language})
        answer = adjust(client, fay, 40)
        assert "HX-Redirect" not in answer
        assert said in answer.content.decode()
    assert balance(fay) == 0


def test_a_second_click_books_nothing(rows):
    finance = staff_client("fay", "finance")
    key = uuid4()
    for _click in range(2):
        assert adjust(finance, rows.user, 40, key=key).status_code == 200
    assert balance(rows.user) == 390


def test_an_adjustment_below_zero_is_refused_in_the_dialog(rows):
    finance = staff_client("fay", "finance")
    answer = adjust(finance, rows.user, -351)
    assert "HX-Redirect" not in answer
    assert "The balance does not cover this change." in answer.content.decode()
    assert balance(rows.user) == 350


@pytest.mark.parametrize(("amount", "reason"), [(0, "why"), (5, "  "), ("", "why")])
def test_an_adjustment_without_amount_or_reason_is_refused(rows, amount, reason):
    finance = staff_client("fay", "finance")
    assert "HX-Redirect" not in adjust(finance, rows.user, amount, reason)
    assert balance(rows.user) == 350


def test_opening_the_dialog_changes_nothing(rows):
    finance = staff_client("fay", "finance")
    url = reverse("admin:accounts_user_adjust", args=[rows.user.pk])
    page = finance.get(url, {"amount": 5, "reason": "by link"})
    assert 'name="reason"' in page.content.decode()
    assert balance(rows.user) == 350


def test_support_may_not_adjust_credits(rows):
    support = staff_client("sam", "support")
    assert adjust(support, rows.user, 5).status_code == 403
    assert "adjust-credits" not in support.get(row_page(rows.user)).content.decode()
    assert balance(rows.user) == 350


def test_support_cancels_a_waiting_job_and_its_hold_is_given_back(rows):
    support = staff_client("sam", "support")
    answer = act(support, rows.job, "cancel")
    assert answer["HX-Redirect"] == row_page(rows.job)
    with acting_as(SERVICE):
        rows.job.refresh_from_db()
        rows.hold.refresh_from_db()
    assert (rows.job.status, rows.hold.status) == ("cancelled", "released")
    assert "The job is cancelled." in support.get(row_page(rows.job)).content.decode()


def test_a_running_job_is_asked_to_stop(rows):
    job = make_job(rows.user.id, "in_progress")
    support = staff_client("sam", "support")
    act(support, job, "cancel")
    with acting_as(SERVICE):
        job.refresh_from_db()
    assert job.status == "in_progress"
    assert job.cancel_requested_at is not None


def test_support_retries_a_failed_job_as_its_owner(rows):
    with acting_as(SERVICE):
        AIModel.objects.filter(pk=rows.model.pk).update(name="starter")
    failed = make_job(rows.user.id, "failed", seed=7, resolved_seed=7)
    support = staff_client("sam", "support")
    answer = act(support, failed, "retry")
    assert answer["HX-Redirect"] == row_page(failed)
    with acting_as(SERVICE):
        again = GenerationJob.objects.get(retried_from=failed)
    assert (again.user_id, again.status, again.seed) == (rows.user.pk, "queued", 7)


def test_a_second_click_on_retry_submits_nothing_more(rows):
    with acting_as(SERVICE):
        AIModel.objects.filter(pk=rows.model.pk).update(name="starter")
    failed = make_job(rows.user.id, "failed")
    support = staff_client("sam", "support")
    key = uuid4()
    for _click in range(2):
        assert act(support, failed, "retry", key)["HX-Redirect"]
    assert "This was done already." in support.get(row_page(failed)).content.decode()
    with acting_as(SERVICE):
        assert GenerationJob.objects.filter(retried_from=failed).count() == 1


def test_a_dialog_that_was_refused_may_be_sent_again(rows):
    finance = staff_client("fay", "finance")
    key = uuid4()
    assert "HX-Redirect" not in adjust(finance, rows.user, -351, key=key)
    assert adjust(finance, rows.user, -1, key=key)["HX-Redirect"]
    assert balance(rows.user) == 349


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_an_address_that_names_no_job_is_not_found(action):
    support = staff_client("sam", "support")
    for name in ("no-id", uuid4()):
        url = reverse(f"admin:generation_generationjob_{action}", args=[name])
        form = {"_form_submitted": "on", "key": uuid4()}
        assert support.post(url, form).status_code == 404


def test_a_job_offers_what_its_state_allows(rows):
    support = staff_client("sam", "support")
    offered = {
        state: {
            action
            for action in ("cancel", "retry")
            if f"/{action}/" in support.get(row_page(job)).content.decode()
        }
        for state, job in {
            "queued": rows.job,
            "in_progress": make_job(rows.user.id, "in_progress"),
            "failed": make_job(rows.user.id, "failed"),
            "completed": make_job(rows.user.id, "completed"),
        }.items()
    }
    assert offered == {
        "queued": {"cancel"},
        "in_progress": {"cancel"},
        "failed": {"retry"},
        "completed": {"retry"},
    }


def test_support_learns_nothing_of_how_a_password_is_kept(rows):
    with acting_as(SERVICE):
        rows.user.set_password("a long enough password")
        rows.user.save()
    page = staff_client("sam", "support").get(row_page(rows.user)).content.decode()
    assert "argon2" not in page
    page = staff_client("dana", superuser=True).get(row_page(rows.user))
    page = page.content.decode()
    assert "A password is set." in page
    assert "argon2" not in page


def test_a_retry_that_the_service_refuses_says_so_and_queues_nothing(rows):
    support = staff_client("sam", "support")
    answer = act(support, rows.job, "retry")
    assert "HX-Redirect" not in answer
    assert "This job has not ended yet." in answer.content.decode()
    with acting_as(SERVICE):
        assert not GenerationJob.objects.filter(retried_from=rows.job).exists()


def test_finance_may_neither_cancel_nor_retry(rows):
    finance = staff_client("fay", "finance")
    for action in ("cancel", "retry"):
        assert act(finance, rows.job, action).status_code == 403
    with acting_as(SERVICE):
        rows.job.refresh_from_db()
    assert rows.job.status == "queued"


def account(user, **over):
    return {"email": user.email, "display_name": "", "is_active": "on", **over}


def test_support_closes_an_account_but_grants_neither_rights_nor_tiers(rows):
    support = staff_client("sam", "support")
    form = account(rows.user, tier="enterprise", is_staff="on", is_superuser="on")
    form.pop("is_active")
    assert support.post(row_page(rows.user), form).status_code == 302
    with acting_as(SERVICE):
        user = User.objects.get(pk=rows.user.pk)
    assert not user.is_active
    assert (user.tier, user.is_staff, user.is_superuser) == ("free", False, False)


def test_support_changes_neither_colleagues_nor_passwords(rows):
    support = staff_client("sam", "support")
    staff_client("dana", superuser=True)
    with acting_as(SERVICE):
        dana = User.objects.get(email="dana@example.com")
    form = account(dana, email="sam2@example.com")
    assert support.post(row_page(dana), form).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[rows.user.pk])
    assert support.get(password).status_code == 403
    assert support.get(reverse("admin:accounts_user_add")).status_code == 403


def test_the_superuser_makes_an_account_with_one_spelling_of_its_address():
    boss = staff_client("dana", superuser=True)
    secret = "a long enough password"
    form = {"email": "New@Example.com", "usable_password": "true"}
    answer = boss.post(
        reverse("admin:accounts_user_add"),
        {**form, "password1": secret, "password2": secret},
    )
    assert answer.status_code == 302
    with acting_as(SERVICE):
        made = User.objects.get(email="new@example.com")
    assert made.check_password(secret)


def test_saving_an_account_undoes_no_change_made_meanwhile(rows, monkeypatch):
    boss = staff_client("dana", superuser=True)
    written = []
    monkeypatch.setattr(
        User, "save", lambda self, **options: written.append(options["update_fields"])
    )
    form = account(rows.user, tier="pro")
    assert boss.post(row_page(rows.user), form).status_code == 302
    assert written == [["tier"]]


def test_the_groups_are_brought_back_to_what_is_declared():
    for _time in range(2):
        call_command("sync_staff_groups")
        with acting_as(SERVICE):
            Group.objects.get(name="finance").permissions.clear()
    call_command("sync_staff_groups")
    with acting_as(SERVICE):
        found = {
            (group.name, f"{one.content_type.app_label}.{one.codename}")
            for group in Group.objects.all()
            for one in group.permissions.all()
        }
    assert found == {
        (name, one) for name, wanted in STAFF_GROUPS.items() for one in wanted
    }
