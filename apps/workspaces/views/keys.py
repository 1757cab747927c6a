"""API keys: what programs sign in with."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.workspaces import selectors, services
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.forms import KeyForm, submit
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.scopes import actions_of


@require_GET
@requires(Action.MANAGE_KEYS)
def keys_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    return _render(request, workspace, KeyForm())


@require_POST
@never_cache
@requires(Action.MANAGE_KEYS)
def make_key(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    """Answer with the page itself: the key on it is shown this once."""
    workspace = request.access.fetch(Workspace, workspace_id)
    form = KeyForm(request.POST)
    made = submit(form, lambda: _create(request, workspace, form))
    if made is None:
        return _render(request, workspace, form)
    key, text = made
    return _render(request, workspace, KeyForm(), new_key=key, text=text)


@require_POST
@requires(Action.MANAGE_KEYS)
def revoke_key(request: AppHttpRequest, key_id: str) -> HttpResponse:
    key = request.access.fetch(ApiKey, key_id)
    services.revoke_key(key=key, actor=request.user)
    messages.success(request, f"The key “{key.name}” does not work any more.")
    return redirect("workspaces:keys_page", key.workspace.public_id)


def _create(request: AppHttpRequest, workspace: Workspace, form: KeyForm) -> tuple[ApiKey, str]:
    days = form.cleaned_data["days"]
    own_role = selectors.role_in(workspace=workspace, person=request.user)
    return services.create_key(
        workspace=workspace,
        owner=request.user,
        name=form.cleaned_data["name"],
        actions=actions_of(form.cleaned_data["scopes"], role=own_role),
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )


def _render(
    request: AppHttpRequest, workspace: Workspace, form: KeyForm, *, new_key: ApiKey | None = None, text: str = ""
) -> HttpResponse:
    context = {"rows": selectors.key_rows(workspace), "form": form, "new_key": new_key, "text": text}
    return render(request, "workspaces/keys_page.html", context, status=422 if form.errors else 200)
