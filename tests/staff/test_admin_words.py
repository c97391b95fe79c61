"""The console speaks Korean to those who read it, down to columns and choices."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models import Field
from django.urls import reverse
from django.utils import translation
from django_celery_beat.models import PeriodicTask

from accounts.admin_forms import ASKED_FOR
from accounts.staff_groups import STAFF_GROUPS
from billing.models import CreditHold, CreditTransaction, Subscription
from generation.models import GenerationJob
from pingvas.core import staff_words
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.factories import make_job
from tests.staff.world import list_page, make_rows, row_page, staff_client

ROOT = Path(__file__).parents[2]
MODULES = {
    *("admin.py", "admin_forms.py", "dashboard.py", "failures.py", "timeline.py"),
    *("staff_menu.py", "staff_admin.py", "staff_words.py", "sites.py"),
}
APPS = ("accounts", "billing", "gallery", "generation", "modelhub", "pingvas")
MARKS = {"_", "gettext", "gettext_lazy"}
HANGUL = re.compile("[가-힣]")
# Names of things, the same in every language.
NAMES = {"Pingvas", "id", "ID", "oauth id", "OAuth ID", "Lemon Squeezy ID"}


def sentences():
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.name in MODULES:
                yield from _marked(ast.parse(path.read_text()))


def _marked(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
            [said] = node.args
            if isinstance(said, ast.Constant):
                yield said.value


def test_every_sentence_of_the_console_has_korean_words():
    found = set(sentences()) - NAMES
    assert len(found) > 150
    with translation.override("ko"):
        assert {one for one in found if translation.gettext(one) == one} == set()


def test_every_model_column_and_app_has_a_korean_name():
    english = set()
    with translation.override("ko"):
        for model in admin.site._registry:
            options = model._meta
            named = [options.verbose_name, options.verbose_name_plural]
            named.append(options.app_config.verbose_name)
            columns = [one for one in options.get_fields() if isinstance(one, Field)]
            named += [column.verbose_name for column in columns]
            english |= {str(one) for one in named if not HANGUL.search(str(one))}
    assert english - NAMES == set()


@pytest.mark.parametrize("model", [GenerationJob, CreditHold, CreditTransaction])
def test_every_choice_that_staff_read_has_korean_words(model):
    with translation.override("ko"):
        for field in model._meta.concrete_fields:
            for _value, label in field.flatchoices:
                assert HANGUL.search(translation.gettext(label)), label


def test_the_names_change_neither_english_nor_the_schema(db):
    column = GenerationJob._meta.get_field("created_at")
    with translation.override("en"):
        assert str(column.verbose_name) == "created at"
    # What a migration would hold of it.
    assert "verbose_name" not in column.deconstruct()[3]
    assert staff_words.MADE


@pytest.mark.django_db
def test_korean_staff_read_korean_lists_filters_and_rows():
    rows = make_rows("alice")
    boss = staff_client("dana", superuser=True)

    def page(address):
        answer = boss.get(address, headers={"accept-language": "ko"})
        return answer.content.decode()

    jobs = page(list_page(GenerationJob))
    for word in ("대기열", "진행 중", "상태", "견적", "검색어 입력"):
        assert word in jobs, word
    for word in ("In Progress", "Type to search", "Created at", "Quoted"):
        assert word not in jobs, word
    assert "운영자 조정" in page(list_page(CreditTransaction))
    assert "무료 월 지급" in page(row_page(rows.user))
    assert "활성" in page(row_page(rows.subscription))
    assert "Active" not in page(list_page(Subscription))


@pytest.mark.django_db
def test_staff_switch_the_language_in_the_console_itself():
    boss = staff_client("dana", superuser=True)
    dashboard = reverse("admin:index")
    assert f'action="{reverse("set_language")}"' in boss.get(dashboard).content.decode()
    boss.post(reverse("set_language"), {"language": "ko", "next": dashboard})
    assert "대시보드" in boss.get(dashboard).content.decode()


@pytest.mark.django_db
def test_rights_of_a_group_are_words_and_none_is_lost():
    boss = staff_client("dana", superuser=True)
    with acting_as(SERVICE):
        group = Group.objects.get(name="finance")
        held = set(group.permissions.all()) | {_unasked()}
        group.permissions.set(held)
    page = boss.get(row_page(group), headers={"accept-language": "ko"})
    words = page.content.decode()
    for right in ("작업: 취소와 다시 실행", "거래: 크레딧 조정", "사용자: 보기"):
        assert right in words, right
    assert "Can view" not in words
    assert "Can change" not in words
    form = {"name": "finance", "permissions": [right.pk for right in held]}
    boss.post(row_page(group), form)
    with acting_as(SERVICE):
        assert set(group.permissions.all()) == held


def _unasked():
    """A right that no page asks for: only a group that has it shows it."""
    return Permission.objects.get(codename="delete_session")


def test_every_model_of_the_console_has_its_rights_to_give():
    models = {model._meta.label_lower for model in admin.site._registry}
    assert set(ASKED_FOR) == models
    offered = {
        f"{label.split('.')[0]}.{verb}_{label.split('.')[1]}"
        for label, verbs in ASKED_FOR.items()
        for verb in verbs
    }
    assert {right for rights in STAFF_GROUPS.values() for right in rights} <= offered


@pytest.mark.django_db
def test_a_rows_history_is_told_in_the_readers_words():
    rows = make_rows("alice")
    boss = staff_client("dana", superuser=True)
    form = {"amount": "-5", "reason": "a test", "key": str(uuid4())}
    page = reverse("admin:accounts_user_adjust", args=[rows.user.pk])
    boss.post(page, {**form, "_form_submitted": "True"})

    def history(language):
        answer = boss.get(
            row_page(rows.user, "history"), headers={"accept-language": language}
        )
        return answer.content.decode()

    assert "Adjusted the credits: -5" in history("en")
    assert "크레딧을 조정했습니다: -5" in history("ko")


@pytest.mark.django_db
def test_the_timetable_says_what_runs_when_and_in_korean_too():
    call_command("sync_schedule", verbosity=0)
    boss = staff_client("dana", superuser=True)
    with acting_as(SERVICE):
        entry = PeriodicTask.objects.get(task="billing.audit_ledger")
    for page in (list_page(PeriodicTask), row_page(entry)):
        english = boss.get(page).content.decode()
        korean = boss.get(page, headers={"accept-language": "ko"}).content.decode()
        assert "every day at 04:00 UTC" in english
        assert "매일 04:00 UTC" in korean
        assert "원장 감사" in korean
        assert "0 4 * * *" not in english.split("</title>")[1]


@pytest.mark.django_db
def test_a_refusal_stays_in_the_console_and_says_who_can_help():
    finance = staff_client("fay", "finance")
    answer = finance.get(list_page(PeriodicTask), headers={"accept-language": "ko"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "이 계정으로는 보거나 할 수 없습니다." in page
    # The menu is there, with what is open.
    assert list_page(CreditTransaction) in page
    assert list_page(PeriodicTask) not in page


@pytest.mark.django_db
def test_rows_and_choices_go_by_names_and_not_by_codes():
    rows = make_rows("alice")
    boss = staff_client("dana", superuser=True)
    cancelled = make_job(rows.user.id, "cancelled", tier="enterprise")

    def page(address, language="en"):
        answer = boss.get(address, headers={"accept-language": language})
        return answer.content.decode()

    jobs = page(list_page(GenerationJob), "ko")
    assert "취소됨" in jobs
    assert "Enterprise" in jobs
    assert f">{cancelled.status}<" not in jobs
    assert "SD 1.5" in page(row_page(rows.model))
    assert "PNG" in page(row_page(rows.image))
    written = f"{rows.hold.created_at:%Y-%m-%d %H:%M} UTC"
    for language in ("en", "ko"):
        assert written in page(row_page(rows.hold), language)
