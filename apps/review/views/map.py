"""The map: all samples as dots, those that are alike near each other; looked at, chosen and labelled."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function
from apps.review.labelling import label_chosen, read_chosen
from apps.review.selectors import map as selectors
from apps.review.selectors.nearby import asked_rows
from apps.review.selectors.queues import menu
from apps.review.views.samples import FILTER_ABOVE
from apps.samples.services.bulk import MOST_AT_ONCE
from apps.training.services.survey import read_survey
from apps.training.services.surveying import FEWEST
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.REVIEW)
def map_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {
        "function": function,
        "tab": "review",
        "at": "map",
        "menu": menu(function),
        "labels": list(function.labels.in_use()),
        "filter_above": FILTER_ABOVE,
        "most_at_once": MOST_AT_ONCE,
        "has_map": read_survey(function) is not None,
        "is_enough": function.samples.all()[FEWEST - 1 : FEWEST].exists(),
        "fewest": FEWEST,
    }
    return render(request, "review/map_page.html", context)


@require_GET
@requires(Action.REVIEW)
def map_points(request: AppHttpRequest, function_id: str) -> HttpResponseBase:
    """Where each sample is, as `selectors.map` packs it; nothing (204) where there is no map yet."""
    view = read_survey(request.access.fetch(Function, function_id))
    if view is None:
        return HttpResponse(status=204)
    return _unless_known(request, selectors.points_version(view), lambda: selectors.pack_points(view))


@require_GET
@requires(Action.REVIEW)
def map_colours(request: AppHttpRequest, function_id: str) -> HttpResponseBase:
    """What is said of each sample of the map, in the same order."""
    function = request.access.fetch(Function, function_id)
    view = read_survey(function)
    if view is None:
        return HttpResponse(status=204)
    labels = list(function.labels.in_use())
    version = selectors.colours_version(function, view, labels)
    return _unless_known(request, version, lambda: selectors.pack_colours(function, view, labels))


@require_GET
@requires(Action.REVIEW)
def map_samples(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The samples named by `ids`, as options of a list."""
    function = request.access.fetch(Function, function_id)
    rows = asked_rows(function, list(function.labels.in_use()), request.GET.get("ids", ""))
    return render(request, "review/_near_items.html", {"function": function, "rows": rows})


@require_POST
@requires(Action.REVIEW)
def label_chosen_samples(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """Label the samples chosen on the map, or in a list of similar ones, as one act."""
    function = request.access.fetch(Function, function_id)
    chosen = read_chosen(request, function)
    return JsonResponse(label_chosen(function=function, chosen=chosen, person=request.user))


def _unless_known(request: HttpRequest, version: str, pack: Callable[[], bytes]) -> HttpResponseBase:
    """Answer 304 where the browser has this version already."""
    etag = f'"{version}"'
    known = get_conditional_response(request, etag=etag)
    is_known = isinstance(known, HttpResponseNotModified)
    response = known if known is not None and is_known else HttpResponse(pack(), "application/octet-stream")
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response
