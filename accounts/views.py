"""The pages for signing up, in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic import FormView, View

from accounts.forms import GateForm, SignUpForm
from accounts.models import User
from accounts.services import check_credentials, register
from pingvas.core.api.client import client_address
from pingvas.core.errors import PingvasError
from pingvas.core.pages import Page

BACKEND = "accounts.backends.PasswordBackend"


class GatePage(FormView[GateForm], Page):
    """Takes an address and a password, and lets in or says why not."""

    template_name = "accounts/gate.html"
    # The service that turns the form and an address into a user.
    admit: Callable[..., User]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: GateForm) -> HttpResponse:
        address = client_address(self.request)
        try:
            user = self.admit(ip_address=address, **form.cleaned_data)
        except PingvasError as error:
            form.refuse(error)
            return self._answer(form, error.status, error.headers)
        login(self.request, user, backend=BACKEND)
        return super().form_valid(form)

    def form_invalid(self, form: GateForm) -> HttpResponse:
        return self._answer(form, 400)

    def _answer(
        self, form: GateForm, status: int, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        form.point_at_error()
        context = self.get_context_data(form=form)
        return self.render_to_response(context, status=status, headers=headers)

    def get_success_url(self) -> str:
        target = self._next()
        return target or reverse("generation:create")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self._next(), **kwargs)

    def _next(self) -> str:
        """Where to go on; empty unless it is a page of this site."""
        target = self.request.POST.get("next") or self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            target,
            allowed_hosts={self.request.get_host()},
            require_https=self.request.is_secure(),
        )
        return target if is_ours else ""


class SignInPage(GatePage):
    form_class = GateForm
    admit = staticmethod(check_credentials)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=_("Sign in"),
            other_question=_("New here?"),
            other_name=_("Make an account"),
            other_url=reverse("accounts:sign-up"),
            **kwargs,
        )


class SignUpPage(GatePage):
    form_class = SignUpForm
    admit = staticmethod(register)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=_("Make an account"),
            other_question=_("Have one already?"),
            other_name=_("Sign in"),
            other_url=reverse("accounts:sign-in"),
            **kwargs,
        )


class SignOutView(View):
    """By POST alone: a link on another site must not sign anybody out."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponseRedirect:
        logout(request)
        return redirect("landing")
