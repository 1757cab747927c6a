"""The search page: all samples of a function that finds samples, and those most like what one asks for."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from apps.core.errors import Conflict
from apps.functions.models import Function
from apps.invoke.search_selectors import gallery
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

NO_SEARCH = "This function does not find samples: it says what is what. Call it instead."


@require_GET
@requires(Action.VIEW)
def search_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The whole page, or for htmx the next samples of the gallery."""
    function = searching(request, function_id)
    context = {"function": function, "tab": "search", "gallery": gallery(function, after=request.GET.get("after", ""))}
    response = render(request, "invoke/search_page.html" + ("#items" if request.htmx else ""), context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def searching(request: AppHttpRequest, function_id: str) -> Function:
    """Return a function that finds samples. Raises Conflict for another."""
    function = request.access.fetch(Function, function_id)
    if not function.searches:
        raise Conflict(NO_SEARCH)
    return function
