"""Who belongs to the workspace. Everyone in it may see that; owners and admins change it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Conflict, InvalidInput
from apps.workspaces import selectors, services
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.forms import InviteForm, RoleForm, submit
from apps.workspaces.models import Invitation, Membership, Workspace
from apps.workspaces.roles import Action, Role


@require_GET
@requires(Action.VIEW)
def members_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    return _render(request, workspace, _invite_form(request, workspace))


@require_POST
@never_cache
@requires(Action.MANAGE_MEMBERS)
def invite_member(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    """Answer with the page itself: the link on it is shown this once."""
    workspace = request.access.fetch(Workspace, workspace_id)
    form = _invite_form(request, workspace)
    made = submit(
        form,
        lambda: services.invite_member(
            workspace=workspace,
            email=form.cleaned_data["email"],
            role=Role(form.cleaned_data["role"]),
            actor=request.user,
        ),
    )
    if made is None:
        return _render(request, workspace, form)
    invitation, token = made
    link = request.build_absolute_uri(reverse("workspaces:accept_invitation", args=[token]))
    return _render(request, workspace, InviteForm(roles=form.roles), invitation=invitation, link=link)


@require_POST
@requires(Action.MANAGE_MEMBERS)
def change_role(request: AppHttpRequest, member_id: str) -> HttpResponse:
    membership = request.access.fetch(Membership, member_id, related=("user",))
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("Choose one of the roles in the list.")
    role = Role(form.cleaned_data["role"])
    try:
        services.change_role(membership=membership, role=role, actor=request.user)
        messages.success(request, f"{membership.user} is {role.label.lower()} now.")
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("workspaces:members_page", membership.workspace.public_id)


@require_POST
@requires(Action.MANAGE_MEMBERS)
def remove_member(request: AppHttpRequest, member_id: str) -> HttpResponse:
    membership = request.access.fetch(Membership, member_id, related=("user",))
    try:
        services.remove_member(membership=membership, actor=request.user)
        messages.success(request, f"{membership.user} is no longer a member.")
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("workspaces:members_page", membership.workspace.public_id)


@require_POST
@requires(Action.VIEW)
def leave_workspace(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    membership = workspace.memberships.get(user=request.user)
    try:
        services.remove_member(membership=membership, actor=request.user)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect("workspaces:members_page", workspace.public_id)
    return redirect("/")


@require_POST
@requires(Action.MANAGE_MEMBERS)
def revoke_invitation(request: AppHttpRequest, invitation_id: str) -> HttpResponse:
    invitation = request.access.fetch(Invitation, invitation_id)
    services.revoke_invitation(invitation=invitation, actor=request.user)
    messages.success(request, f"The invitation for {invitation.email} does not work any more.")
    return redirect("workspaces:members_page", invitation.workspace.public_id)


def _invite_form(request: AppHttpRequest, workspace: Workspace) -> InviteForm:
    own_role = selectors.role_in(workspace=workspace, person=request.user)
    return InviteForm(request.POST or None, roles=selectors.roles_to_give(own_role))


def _render(
    request: AppHttpRequest,
    workspace: Workspace,
    form: InviteForm,
    *,
    invitation: Invitation | None = None,
    link: str = "",
) -> HttpResponse:
    context = {
        "rows": selectors.member_rows(workspace=workspace, reader=request.user),
        "invitations": selectors.open_invitations(workspace),
        "form": form,
        "new_invitation": invitation,
        "link": link,
    }
    return render(request, "workspaces/members_page.html", context, status=422 if form.errors else 200)
