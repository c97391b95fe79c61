"""What the pages of the staff console have in common.

Lists stay quick on tables of millions: rows come by an index, are counted up to
LARGEST_COUNT only, and are searched by what has an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.admin import ChoicesFieldListFilter, display
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.forms import HiddenInput, UUIDField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import filesizeformat
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action as unfold_action
from unfold.decorators import display as unfold_display
from unfold.forms import BaseDialogForm

from pingvas.core.api.idempotency import claim_key
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import PingvasError
from pingvas.core.staff_words import choice_words, deed_words, in_words

if TYPE_CHECKING:
    # The package has no types; its class is Django's with more attributes.
    from django.contrib.admin import ModelAdmin
    from django.forms import Form as _DialogForm
else:
    from unfold.admin import ModelAdmin

    _DialogForm = BaseDialogForm

# Later pages are reached by filters and search, not by leafing.
LARGEST_COUNT = 10_000

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound=Callable[..., Any])


class BoundedPaginator(Paginator[Any]):
    """Counts no further than LARGEST_COUNT."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:LARGEST_COUNT].count()


class ChoicesFilter(ChoicesFieldListFilter):
    """Django's filter by the choices of a column, in the reader's language."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice_words(str(choice["display"]))}


def choice(column: str, description: Any) -> Any:
    """A column of choices in the reader's language, for a page's class."""

    @display(description=description)
    def words(page: Any, row: Model) -> str:
        return in_words(row, column) or "-"

    return words


def moment(column: str, description: Any = None) -> Any:
    """A column of times for a list, short and in UTC as everywhere in the console."""

    @display(description=description or _("When (UTC)"))
    def when(page: Any, row: Model) -> str:
        at = getattr(row, column)
        return f"{at:%Y-%m-%d %H:%M}" if at else "-"

    return when


def file_weight(column: str, description: Any) -> Any:
    """A column of bytes, told as kB or GB."""

    @display(description=description)
    def weight(page: Any, row: Model) -> str:
        size = getattr(row, column)
        return "-" if size is None else filesizeformat(size)

    return weight


def tier_name(row: Any) -> str:
    """Of a row that keeps its tier as a word without choices."""
    return str(row.tier).capitalize()


class StaffAdmin(ModelAdmin[M]):
    """A list by key, searched by ids and by the start of its owner's e-mail address."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    # Any other order than the index's would sort the whole table.
    sortable_by = ()
    # Among Django's own is the deletion of everything that is ticked.
    actions = None
    # Asks Django for the search box; `get_search_results` does the search.
    search_fields: ClassVar[tuple[str, ...]] = ("id",)
    search_ids: ClassVar[tuple[str, ...]] = ("id", "user_id")
    search_email: ClassVar[str] = "user__email"

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        page: Any = super().get_changelist_instance(request)
        if not (page.query or page.has_active_filters):
            # Else the package says "8 results (Show all)" of the whole list.
            page.full_result_count = page.result_count
        return cast("ChangeList", page)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        answer = super().history_view(request, object_id, extra_context)
        for entry in getattr(answer, "context_data", {}).get("action_list", ()):
            entry.change_message = deed_words(entry.change_message)
        return answer

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().lower()
        return (queryset.filter(self.matches(term)) if term else queryset), False

    def matches(self, term: str) -> Q:
        """What the search box finds for `term`, which is in lower case."""
        try:
            number = UUID(term)
        except ValueError:
            return Q((f"{self.search_email}__startswith", term))
        found = Q()
        for name in self.search_ids:
            found |= Q((name, number))
        return found


class ReadOnlyAdmin(StaffAdmin[M]):
    """Rows that only services write: seen by those with the view permission."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False


class ChangedFieldsAdmin(StaffAdmin[M]):
    """Writes the fields that staff changed, and so undoes nobody else's change."""

    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=sorted(columns.intersection(form.changed_data)))


class DialogForm(_DialogForm):
    """A form in a dialog of a row's page, which also shows what a service refuses.

    `key` names this opening of the dialog: a second click does nothing more.
    """

    key = UUIDField(widget=HiddenInput, initial=uuid4)

    def render_before_template(self) -> str:
        lines = format_html_join(
            "", "<p>{}</p>", ((error,) for error in self.non_field_errors())
        )
        return (
            format_html('<div class="staff-refusal" role="alert">{}</div>', lines)
            if lines
            else ""
        )

    def refuse(self, error: PingvasError) -> None:
        named = {
            name: words
            for name, words in (error.fields or {}).items()
            if name in self.fields
        }
        for name, words in named.items():
            self.add_error(name, words)
        if not named:
            self.add_error(None, str(error.words))


def run_dialog(
    request: HttpRequest,
    form: DialogForm,
    *,
    dialog: dict[str, Any],
    done: str,
    work: Callable[[], str],
) -> HttpResponse:
    """Answer a dialog: do `work` as the service, all or nothing, and go to `done`.

    `work` answers the words of success. A refusal is shown where the form stands, and
    the dialog may be sent again; what was done is done once.
    """
    key = f"dialog:{form.cleaned_data['key']}"
    try:
        with acting_as(SERVICE):
            is_first = claim_key(UUID(str(request.user.pk)), key, fingerprint="")
            words = work() if is_first else gettext("This was done already.")
    except PingvasError as error:
        form.refuse(error)
        context = {
            "dialog": dialog,
            "form": form,
            "form_submit_text": dialog.get("form_submit_text", ""),
        }
        return render(request, "unfold/helpers/dialog.html", context)
    messages.success(request, words)
    return HttpResponse(headers={"HX-Redirect": done})


def row_or_404(rows: QuerySet[M], object_id: str) -> M:
    """The row that an action's address names; anything but an id names none."""
    try:
        number = UUID(object_id)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(rows, pk=number)


def dialog_action(**options: Any) -> Callable[[F], F]:
    """Unfold's action of a row's page; with a dialog, so that it comes as a POST.

    `permissions` name methods `has_<name>_permission`: for one with a dot the package
    asks the database at every start, and a process could not start before it.
    """
    return cast("Callable[[F], F]", unfold_action(**options))


def labelled(description: Any, colours: Mapping[Any, str]) -> Callable[[F], F]:
    """A column shown as a coloured label: the method answers (value, words)."""
    return cast(
        "Callable[[F], F]",
        unfold_display(description=description, label=_Labels(colours)),
    )


class _Labels(dict[Any, str]):
    """A value without a colour keeps its words: the package would show the value."""

    def __missing__(self, key: Any) -> str:
        return ""
