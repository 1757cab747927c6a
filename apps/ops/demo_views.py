"""The button that loads the demo."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from apps.ops import demo
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def load_demo(request: AppHttpRequest) -> HttpResponse:
    workspace = request.access.current_workspace(request)
    demo.load_demo(workspace=workspace, person=request.user)
    messages.success(request, "The demo is here. Open a function to see its samples and what it makes of them.")
    return redirect("functions:home")
