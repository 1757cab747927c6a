"""What was done to a function's samples and labels in one go, and undoing it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from apps.functions.models import Function
from apps.samples.history import history_lines
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.LABEL)
def history_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    page, lines = history_lines(
        function=function, person=request.user, may=request.access.also, page_number=request.GET.get("page", 1)
    )
    context = {"function": function, "tab": "", "page_obj": page, "lines": lines}
    context["is_moving"] = any(line.is_under_way or line.n_undone is not None for line in lines)
    response = render(request, "samples/history_page.html" + ("#acts" if request.htmx else ""), context)
    patch_vary_headers(response, ["HX-Request"])
    return response
