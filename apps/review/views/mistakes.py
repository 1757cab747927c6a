"""Where it goes wrong: what is taken for what, in sentences and as a table."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.functions.models import Function
from apps.review.selectors.confusion import confusion
from apps.review.selectors.queues import menu
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.REVIEW)
def mistakes_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {"function": function, "confusion": confusion(function, list(function.labels.in_use()))}
    if request.htmx:
        return render(request, "review/_confusion.html", context)
    context |= {"tab": "review", "at": "mistakes", "menu": menu(function)}
    return render(request, "review/mistakes_page.html", context)
