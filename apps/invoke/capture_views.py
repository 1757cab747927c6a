"""The panel that says what a function keeps of its calls."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function
from apps.invoke.capture import change_capture
from apps.invoke.capture_forms import CaptureForm
from apps.invoke.capture_selectors import capture_panel
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.VIEW)
def show_capture(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The panel alone."""
    function = request.access.fetch(Function, function_id)
    return render(request, "invoke/_capture.html", {"function": function, "capture": capture_panel(function)})


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def set_capture(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Save what is kept from now on, and show the panel again."""
    function = request.access.fetch(Function, function_id)
    form = CaptureForm(request.POST)
    if not form.is_valid():
        context = {"function": function, "capture": capture_panel(function, form)}
        return render(request, "invoke/_capture.html", context, status=422)
    change_capture(function=function, rules=form.rules(), actor=request.user)
    context = {"function": function, "capture": capture_panel(function), "is_saved": True}
    return render(request, "invoke/_capture.html", context)
