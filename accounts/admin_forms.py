"""Staff's forms for accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from accounts.models import User
from accounts.services import WrongCredentials, check_credentials
from pingvas.core.api.client import client_address
from pingvas.core.errors import PingvasError

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as _SignInForm
    from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
    from django.forms import ModelForm
    from django.http import HttpRequest

    _EmailForm = ModelForm[User]
    _CreationForm = AdminUserCreationForm[User]
    _ChangeForm = UserChangeForm[User]
else:
    from unfold.forms import AuthenticationForm as _SignInForm
    from unfold.forms import UserChangeForm as _ChangeForm
    from unfold.forms import UserCreationForm as _CreationForm

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
