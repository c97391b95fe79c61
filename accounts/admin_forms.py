"""Staff's forms for accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import ModelMultipleChoiceField
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.addresses import validate_new_address
from accounts.models import User
from accounts.services import WrongCredentials, check_credentials
from pingvas.core.api.client import client_address
from pingvas.core.errors import PingvasError

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as _SignInForm
    from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
    from django.forms import CheckboxSelectMultiple, ModelForm
    from django.http import HttpRequest

    _EmailForm = ModelForm[User]
    _GroupForm = ModelForm[Group]
    _CreationForm = AdminUserCreationForm[User]
    _ChangeForm = UserChangeForm[User]
else:
    from django.forms import ModelForm as _GroupForm
    from unfold.forms import AuthenticationForm as _SignInForm
    from unfold.forms import UserChangeForm as _ChangeForm
    from unfold.forms import UserCreationForm as _CreationForm
    from unfold.widgets import (
        UnfoldAdminCheckboxSelectMultipleWidget as CheckboxSelectMultiple,
    )

    _EmailForm = object


class StaffSignInForm(_SignInForm):
    """The console's door, where guesses count as they do at the studio's.

    `refusal` is set when the password was not even looked at.
    """

    refusal: PingvasError | None = None

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if email and password:
            user = self._check(email, password)
            self.confirm_login_allowed(user)
            self.user_cache = user
        return self.cleaned_data

    def _check(self, email: str, password: str) -> User:
        address = client_address(cast("HttpRequest", self.request))
        try:
            return check_credentials(email=email, password=password, ip_address=address)
        except WrongCredentials:
            raise self.get_invalid_login_error() from None
        except PingvasError as error:
            self.refusal = error
            raise ValidationError(str(error.words)) from None


class _OneSpelling(_EmailForm):
    """One spelling of an address is one account, as at sign-up."""

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if email != self.instance.email:
            validate_new_address(email)
        return email


class AccountCreationForm(_OneSpelling, _CreationForm):
    class Meta:
        model = User
        fields = ("email",)


class AccountChangeForm(_OneSpelling, _ChangeForm):
    class Meta:
        model = User
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not there for those who may not set a password.
        if "password" in self.fields:
            widget: Any = self.fields["password"].widget
            widget.template_name = "staff/password.html"


# What each page of the console asks for; Django makes many more, which nothing reads.
ASKED_FOR: dict[str, tuple[str, ...]] = {
    "accounts.user": ("view", "change"),
    "auth.group": ("view",),
    "billing.credithold": ("view",),
    "billing.credittransaction": ("view", "add"),
    "billing.subscription": ("view",),
    "django_celery_beat.crontabschedule": ("view", "add", "change", "delete"),
    "django_celery_beat.intervalschedule": ("view", "add", "change", "delete"),
    "django_celery_beat.periodictask": ("view", "add", "change", "delete"),
    "gallery.image": ("view", "delete"),
    "generation.generationjob": ("view", "change"),
    "generation.worker": ("view",),
    "modelhub.aimodel": ("view", "change"),
}
VERBS = {
    "view": gettext_lazy("see"),
    "add": gettext_lazy("add"),
    "change": gettext_lazy("change"),
    "delete": gettext_lazy("delete"),
}
# Where a right of Django's stands for something else.
SPECIAL = {
    "add_credittransaction": gettext_lazy("adjust credits"),
    "change_generationjob": gettext_lazy("cancel and retry"),
}


def permission_words(permission: Permission) -> str:
    """`Jobs: cancel and retry`, in the reader's language."""
    model = permission.content_type.model_class()
    verb = permission.codename.partition("_")[0]
    words = SPECIAL.get(permission.codename) or VERBS.get(verb)
    if model is None or words is None:
        return gettext(permission.name)
    return f"{capfirst(str(model._meta.verbose_name_plural))}: {words}"


class PermissionsField(ModelMultipleChoiceField[Permission]):
    def label_from_instance(self, obj: Permission) -> str:
        return permission_words(obj)


class GroupForm(_GroupForm):
    permissions = PermissionsField(
        label=_("Permissions"),
        queryset=Permission.objects.none(),
        required=False,
        widget=CheckboxSelectMultiple,
    )

    class Meta:
        model = Group
        fields = ("name", "permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("PermissionsField", self.fields["permissions"])
        field.queryset = _offered(self.instance)


def _offered(group: Group) -> QuerySet[Permission]:
    """What the console asks for, and whatever else the group has: saving keeps it."""
    wanted = Q(group=group) if group.pk else Q()
    for label, verbs in ASKED_FOR.items():
        app, model = label.split(".")
        codenames = [f"{verb}_{model}" for verb in verbs]
        wanted |= Q(content_type__app_label=app, codename__in=codenames)
    found = Permission.objects.filter(wanted).select_related("content_type")
    return found.order_by(
        "content_type__app_label", "content_type__model", "id"
    ).distinct()
