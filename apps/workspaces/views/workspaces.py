"""Making another workspace, and going from one to another."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.workspaces import services
from apps.workspaces.access import SESSION_KEY, AppHttpRequest, requires, signed_in
from apps.workspaces.forms import WorkspaceForm, submit
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action


@require_http_methods(["GET", "POST"])
@signed_in
def new_workspace_page(request: AppHttpRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST or None)
    workspace = submit(
        form, lambda: services.create_another_workspace(name=form.cleaned_data["name"], person=request.user)
    )
    if workspace is not None:
        request.session[SESSION_KEY] = workspace.public_id
        return redirect("/")
    return render(request, "workspaces/new_workspace_page.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@requires(Action.VIEW)
def switch_workspace(request: AppHttpRequest) -> HttpResponse:
    workspace = request.access.fetch(Workspace, request.POST.get("workspace", ""))
    request.session[SESSION_KEY] = workspace.public_id
    return redirect("/")
