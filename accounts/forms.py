"""What people type to sign up and in. The rules themselves are the services'."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import PingvasError

NO_EMAIL = {"required": _("Enter your e-mail address.")}
NO_PASSWORD = {"required": _("Enter a password.")}


class GateForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=255,
        error_messages=NO_EMAIL,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        error_messages=NO_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"
        self._focus("email")

    def point_at_error(self) -> None:
        """Let the page open where something is to be mended."""
        # A refusal without a field is about the password, which is empty again.
        wrong = (name for name in self.fields if name in self.errors)
        self._focus(next(wrong, "password"))

    def _focus(self, chosen: str) -> None:
        for name, field in self.fields.items():
            field.widget.attrs["autofocus"] = name == chosen

    def refuse(self, error: PingvasError) -> None:
        """Show the service's refusal at the fields it names, else above the form."""
        fields = error.fields or {}
        if not fields:
            self.add_error(None, str(error.words))
        for name, words in fields.items():
            self.add_error(name if name in self.fields else None, words)


class SignUpForm(GateForm):
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        error_messages=NO_PASSWORD,
        help_text=_("At least 8 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
