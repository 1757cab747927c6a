"""The search page: all samples of a function that finds samples, and those most like what one asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Conflict, HundredfoldError, NotFound, TooLarge
from apps.core.ids import with_prefix
from apps.engine.tables import parse_cell
from apps.engine.types import ColumnType
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.invoke import searching
from apps.invoke.forms import TryPictureForm
from apps.invoke.search_selectors import Shown, gallery, in_words, light, n_unread
from apps.invoke.searching import Found, Search
from apps.samples.rows import typed
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

N_FOUND = 24
NO_SEARCH = "This function does not find samples: it says what is what."
MOST_CHARACTERS = 4_000
"""Of a text asked for on the page: what an address holds. Longer ones may be sent by programs."""


@require_GET
@requires(Action.VIEW)
def search_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The whole page; for htmx what was found, or the next samples of the gallery."""
    function = searching_function(request, function_id)
    after = request.GET.get("after", "")
    asked = _asked(request, function)
    context = _frame(function) | {"asked": asked} | (asked or {"gallery": gallery(function, after=after)})
    part = ""
    if request.htmx and not request.htmx.history_restore_request:
        part = "#items" if after and not asked else "#found"
    response = render(request, f"invoke/search_page.html{part}", context, status=422 if context.get("problem") else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
@requires(Action.INVOKE)
def search_by_picture(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """What is most like a picture that is sent; what is wrong with it is said there too."""
    function = searching_function(request, function_id)
    form = TryPictureForm(request.POST, request.FILES)
    if form.is_valid():
        answer = _answered(lambda: Search(function, N_FOUND, light(function)).by_input(_content(form)))
    else:
        answer = {"problem": str(next(iter(form.errors.values()))[0])}
    context = _frame(function) | answer | {"asked": answer, "by_picture": True}
    part = "#found" if request.htmx else ""
    return render(request, f"invoke/search_page.html{part}", context, status=422 if "problem" in answer else 200)


def searching_function(request: AppHttpRequest, function_id: str) -> Function:
    """Return a function that finds samples. Raises Conflict for another."""
    function = request.access.fetch(Function, function_id)
    if not function.searches:
        raise Conflict(NO_SEARCH)
    return function


def _frame(function: Function) -> dict[str, object]:
    return {
        "function": function,
        "tab": "search",
        "fields": _typed_fields(function),
        "takes_texts": searching.takes_texts(function),
        "most_characters": MOST_CHARACTERS,
        "n_unread": n_unread(function),
    }


def _asked(request: AppHttpRequest, function: Function) -> dict[str, object]:
    """What was found of what the address asks for; nothing where it asks for nothing."""
    search = Search(function, N_FOUND, light(function))
    if sample_id := request.GET.get("like", ""):
        sample = light(function).filter(public_id=with_prefix("sample", sample_id)).first()
        if sample is None:
            raise NotFound("There is no such sample here.")
        return _answered(lambda: search.by_sample(sample)) | {"like": Shown(sample)}
    data = _data(request, function)
    return _answered(lambda: search.by_input(_typed(data, function))) | {"q": data} if data else {}


def _data(request: AppHttpRequest, function: Function) -> str | Mapping[str, str]:
    if function.input_kind != InputKind.TABLE:
        return request.GET.get("q", "").strip()[:MOST_CHARACTERS]
    values = {field.public_id: request.GET.get(field.public_id, "").strip() for field in _typed_fields(function)}
    return {key: value for key, value in values.items() if value}


def _typed(data: str | Mapping[str, str], function: Function) -> str | Mapping[str, object]:
    """What was typed in, numbers as numbers; a text in place of one is left to be refused in words."""
    if isinstance(data, str):
        return data
    cells: dict[str, object] = dict(data)
    for field in typed(_typed_fields(function)):
        if field.type is ColumnType.NUMBER and field.key in data:
            with suppress(ValueError):
                cells[field.key] = parse_cell(data[field.key], field.type, field.facts)
    return cells


def _answered(find: Callable[[], list[Found]]) -> dict[str, object]:
    try:
        return {"found": in_words(find())}
    except HundredfoldError as error:
        return {"problem": error.message}


def _content(form: TryPictureForm) -> bytes:
    picture = form.cleaned_data["picture"]
    if picture.size > settings.INVOKE_MAX_BYTES:
        raise TooLarge(f"The picture is larger than {settings.INVOKE_MAX_BYTES // 1024**2} MB. Make it smaller first.")
    return bytes(picture.read())


def _typed_fields(function: Function) -> list[Field]:
    """The fields of a row that a person can type in; empty for functions of texts and pictures."""
    if function.input_kind != InputKind.TABLE:
        return []
    return list(function.fields.filter(is_used=True).exclude(type=FieldType.IMAGE))
