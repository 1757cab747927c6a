"""API keys: what programs sign in with."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import InvalidInput
from apps.workspaces import selectors, services
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.forms import KeyForm, RotateForm, submit
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.scopes import actions_of
from apps.workspaces.services.quotas import usage_of


@require_GET
@requires(Action.MANAGE_KEYS)
def keys_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    return _render(request, workspace)


@require_POST
@never_cache
@requires(Action.MANAGE_KEYS)
def make_key(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    """Answer with the page itself: the key on it is shown this once."""
    workspace = request.access.fetch(Workspace, workspace_id)
    form = KeyForm(request.POST, functions=names_of_functions(workspace))
    made = submit(form, lambda: _create(request, workspace, form))
    if made is None:
        return _render(request, workspace, form)
    key, text = made
    return _render(request, workspace, shown_key=key, text=text)


@require_POST
@never_cache
@requires(Action.MANAGE_KEYS)
def rotate_key(request: AppHttpRequest, key_id: str) -> HttpResponse:
    """Answer with the page itself: the new secret on it is shown this once."""
    key = request.access.fetch(ApiKey, key_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("Choose how long the old secret works on.")
    overlap = timedelta(hours=form.cleaned_data["hours"])
    text = services.rotate_key(key=key, actor=request.user, overlap=overlap)
    key.refresh_from_db(fields=["old_until"])
    return _render(request, key.workspace, shown_key=key, text=text)


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
        only_function=form.cleaned_data["only_function"],
    )


def _render(
    request: AppHttpRequest,
    workspace: Workspace,
    form: KeyForm | None = None,
    *,
    shown_key: ApiKey | None = None,
    text: str = "",
) -> HttpResponse:
    context = {
        "rows": selectors.key_rows(workspace=workspace, reader=request.user),
        "form": form or KeyForm(functions=names_of_functions(workspace)),
        "rotate_form": RotateForm(auto_id=False),
        "usage": usage_of(workspace),
        "shown_key": shown_key,
        "text": text,
    }
    return render(request, "workspaces/keys_page.html", context, status=422 if form and form.errors else 200)
