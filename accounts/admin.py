"""Accounts and staff groups in the staff console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.admin_forms import AccountChangeForm, AccountCreationForm, GroupForm
from accounts.models import User
from pingvas.core.staff_admin import ChangedFieldsAdmin, StaffAdmin, moment

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm
    from django.forms import CheckboxSelectMultiple
else:
    from unfold.forms import AdminPasswordChangeForm
    from unfold.widgets import (
        UnfoldAdminCheckboxSelectMultipleWidget as CheckboxSelectMultiple,
    )

# What only a superuser may write: each is a way to more rights or to free credits.
RIGHTS = ("tier", "is_staff", "is_superuser", "groups")


@admin.register(User)
class AccountAdmin(DjangoUserAdmin[User], ChangedFieldsAdmin[User]):
    """Accounts are closed here, never deleted: the ledger names them for good."""

    form = AccountChangeForm
    add_form = AccountCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "email",
        "display_name",
        "tier",
        "is_active",
        "is_staff",
        "last_seen",
        "joined",
    )
    last_seen = moment("last_login", _("Last login (UTC)"))
    joined = moment("created_at", _("Joined (UTC)"))
    list_filter = ("tier", "is_active", "is_staff")
    list_per_page = 50
    # The unique index; the table has none by age.
    ordering = ("email",)
    search_fields = ("email",)
    search_ids = ("id",)
    search_email = "email"
    # Two or three groups: ticked, not moved from one box to another.
    filter_horizontal = ()
    readonly_fields: ClassVar[tuple[str, ...]] = (
        "id",
        "oauth_provider",
        "last_login",
        "created_at",
        "updated_at",
    )
    fieldsets: ClassVar[tuple[Any, ...]] = (
        (None, {"fields": ("email", "password", "display_name", "tier", "is_active")}),
        (
            _("Staff"),
            {
                "classes": ["tab"],
                "fields": ("is_staff", "is_superuser", "groups"),
            },
        ),
        (
            _("Record"),
            {
                "classes": ["tab"],
                "fields": (
                    "id",
                    "oauth_provider",
                    "last_login",
                    "created_at",
                    "updated_at",
                ),
            },
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "usable_password", "password1", "password2")}),
    )

    def get_readonly_fields(
        self, request: HttpRequest, obj: User | None = None
    ) -> tuple[str, ...]:
        fixed = tuple(self.readonly_fields)
        return fixed if request.user.is_superuser else fixed + RIGHTS

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        shown: Any = super().get_fieldsets(request, obj)
        if obj is None or request.user.is_superuser:
            return shown
        # Others may not set a password, and learn nothing from how it is kept.
        return [(name, _without(options, "password")) for name, options in shown]

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = CheckboxSelectMultiple()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.help_text = ""
        return field

    def get_search_results(self, *args: Any, **kwargs: Any) -> Any:
        # Django's page for users comes first in the order of bases.
        return ChangedFieldsAdmin.get_search_results(self, *args, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A colleague's e-mail address would be a way to their rights.
        if obj is not None and (obj.is_staff or obj.is_superuser):
            return bool(request.user.is_superuser)
        return super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        if not request.user.is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)


def _without(options: dict[str, Any], column: str) -> dict[str, Any]:
    kept = [name for name in options["fields"] if name != column]
    return {**options, "fields": kept}


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, StaffAdmin[Group]):
    form = GroupForm
    search_fields = ()
    filter_horizontal = ()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The group by name: its ties to users and rights are rows without one."""
        _named, _counts, lacking, protected = super().get_deleted_objects(objs, request)
        members = User.objects.filter(groups__in=objs).distinct().count()
        counts = {Group._meta.verbose_name_plural: len(objs), _("Members"): members}
        return [str(group) for group in objs], counts, lacking, protected

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return bool(request.user.is_superuser)
