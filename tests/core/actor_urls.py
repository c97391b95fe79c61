"""Views for the tests of the actor: what they did is asked of the database later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gallery.models import Board
from pingvas.core.db.actor import current_actor
from pingvas.core.errors import NotAllowed

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def who_acts() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_setting('app.current_user_id', true)"
        )
        role, user_id = cursor.fetchone()
    return f"{role} {user_id or '-'}"


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(who_acts())


def count_boards(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Board.objects.filter(user=request.user.pk).count()))


def write(request: Any) -> None:
    Board.objects.create(user_id=request.user.pk, name=str(uuid4()))


def write_and_return(request: HttpRequest, status: int) -> HttpResponse:
    write(request)
    return HttpResponse(status=status)


def write_and_miss(request: HttpRequest) -> HttpResponse:
    write(request)
    raise Http404


def write_and_forbid(request: HttpRequest) -> HttpResponse:
    write(request)
    raise PermissionDenied


def write_and_raise(request: HttpRequest) -> HttpResponse:
    write(request)
    raise ValueError("after the write")


def write_and_render_badly(request: HttpRequest) -> TemplateResponse:
    write(request)
    return render_late(request, "{{ boom.boom }}", boom=_Boom())


class _Boom:
    @property
    def boom(self) -> str:
        raise ValueError("while the template is rendered")


def render_late(request: HttpRequest, source: str, **context: Any) -> TemplateResponse:
    template = engines["django"].from_string(source)
    return TemplateResponse(request, template, context)  # type: ignore[arg-type]


def late(request: HttpRequest) -> HttpResponseBase:
    """The list is read when the template is rendered, after the view returned."""
    boards = Board.objects.order_by("name")
    source = "{{ user.email }}:{% for board in boards %}{{ board.name }};{% endfor %}"
    return render_late(request, source, boards=boards)


class Invalid(APIView):
    def get(self, request: Request) -> Response:
        write(request)
        raise serializers.ValidationError({"name": ["too short"]})


class Forbidden(APIView):
    def get(self, request: Request) -> Response:
        write(request)
        raise NotAllowed


class Crash(APIView):
    def get(self, request: Request) -> Response:
        write(request)
        raise ValueError("after the write")


class Fine(APIView):
    def get(self, request: Request) -> Response:
        write(request)
        return Response({"actor": str(current_actor().user_id)})


def raise_later(get_response: GetResponse) -> GetResponse:
    """A middleware that fails once the view has answered."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        get_response(request)
        raise ValueError("after the view")

    return middleware


def ask_user(get_response: GetResponse) -> GetResponse:
    """A middleware that reads the user before any view is found."""

    def middleware(request: Any) -> HttpResponseBase:
        bool(request.user.is_authenticated)
        return get_response(request)

    return middleware


urlpatterns = [
    # The console has a switch of languages.
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/whoami", admin.site.admin_view(whoami)),
    path("admin/", admin.site.urls),
    path("whoami", whoami),
    path("boards/count", count_boards),
    path("write/<int:status>", write_and_return),
    path("write/missing", write_and_miss),
    path("write/forbidden", write_and_forbid),
    path("write/raise", write_and_raise),
    path("write/render-badly", write_and_render_badly),
    path("late", late),
    path("api/invalid", Invalid.as_view()),
    path("api/forbidden", Forbidden.as_view()),
    path("api/crash", Crash.as_view()),
    path("api/fine", Fine.as_view()),
]
