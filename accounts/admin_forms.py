"""Staff's forms for accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from accounts.models import User

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
    from django.forms import ModelForm

    _EmailForm = ModelForm[User]
    _CreationForm = AdminUserCreationForm[User]
    _ChangeForm = UserChangeForm[User]
else:
    from unfold.forms import UserChangeForm as _ChangeForm
    from unfold.forms import UserCreationForm as _CreationForm

    _EmailForm = object


class _OneSpelling(_EmailForm):
    """One spelling of an address is one account, as at sign-up."""

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if not email.isascii():
            raise ValidationError(EmailValidator.message)
        return email


class AccountCreationForm(_OneSpelling, _CreationForm):
    class Meta:
        model = User
        fields = ("email",)


class AccountChangeForm(_OneSpelling, _ChangeForm):
    class Meta:
        model = User
        fields = "__all__"
