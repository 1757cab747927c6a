"""Writing the instructions of a function, and seeing them as they will be read."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import InvalidInput
from apps.functions.markdown import render as render_markdown
from apps.functions.models import Function
from apps.functions.services.instructions import INSTRUCTIONS_MAX, set_instructions
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_http_methods(["GET", "POST"])
@requires(Action.EDIT_FUNCTIONS)
def instructions_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    text, error = request.POST.get("text", function.instructions), ""
    if request.method == "POST":
        try:
            set_instructions(function=function, text=text, actor=request.user)
        except InvalidInput as problem:
            error = problem.message
        else:
            messages.success(request, "Saved. Everybody finds them beside the labels.")
            return redirect("functions:instructions_page", function.public_id)
    html = render_markdown(text[:INSTRUCTIONS_MAX])
    context = {"function": function, "tab": "settings", "text": text, "html": html, "error": error}
    return render(request, "functions/instructions_page.html", context, status=422 if error else 200)


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def preview(request: AppHttpRequest, function_id: str) -> HttpResponse:
    request.access.fetch(Function, function_id)
    text = request.POST.get("text", "")[:INSTRUCTIONS_MAX]
    return render(request, "functions/_instructions.html", {"html": render_markdown(text)})
