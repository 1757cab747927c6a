"""Slices: filters kept by name, each with how well the function does on its samples."""

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from apps.functions.models import Function
from apps.review import slices
from apps.review.filters import read_filter
from apps.review.models import Slice
from apps.review.selectors.queues import menu
from apps.review.selectors.slices import slice_figures, slices_of
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.REVIEW)
def slices_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {
        "function": function,
        "tab": "review",
        "at": "slices",
        "menu": menu(function),
        "slices": slices_of(function),
    }
    return render(request, "review/slices_page.html", context)


@require_GET
@requires(Action.REVIEW)
def slice_line(request: AppHttpRequest, slice_id: str) -> HttpResponse:
    """The figures of one slice; each line asks for its own, so that a slow one holds up no other."""
    kept = request.access.fetch(Slice, slice_id, related=("function",))
    labels = list(kept.function.labels.in_use())
    chosen = slices.filter_of(kept, {label.public_id: label for label in labels})
    figures = slice_figures(kept.function, labels, chosen) if chosen else None
    context = {"function": kept.function, "slice": kept, "figures": figures}
    return render(request, "review/_slice_figures.html", context)


@require_POST
@requires(Action.REVIEW)
def save_slice(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    labels = {label.public_id: label for label in function.labels.in_use()}
    chosen = read_filter(QueryDict(request.POST.get("query", "")), labels)
    slices.save_slice(function=function, name=request.POST.get("name", ""), chosen=chosen, person=request.user)
    return _to_list(request, function)


@require_POST
@requires(Action.REVIEW)
def rename_slice(request: AppHttpRequest, slice_id: str) -> HttpResponse:
    kept = request.access.fetch(Slice, slice_id, related=("function",))
    slices.rename_slice(kept=kept, name=request.POST.get("name", ""))
    return _to_list(request, kept.function)


@require_POST
@requires(Action.REVIEW)
def delete_slice(request: AppHttpRequest, slice_id: str) -> HttpResponse:
    kept = request.access.fetch(Slice, slice_id, related=("function",))
    slices.delete_slice(kept=kept)
    return _to_list(request, kept.function)


def _to_list(request: AppHttpRequest, function: Function) -> HttpResponse:
    response = redirect("review:slices_page", function.public_id)
    return HttpResponseClientRedirect(response.url) if request.htmx else response
