"""Roles and leaving. A workspace always keeps an owner, and only owners make or unmake owners."""

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services import end_sessions
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.services.invitations import revoke_invitations_by
from apps.workspaces.services.keys import revoke_keys_of
from apps.workspaces.services.watching import access_changed


@transaction.atomic
def change_role(*, membership: Membership, role: Role, actor: User) -> Membership:
    """Give a member another role; it counts from the next click on, in pages that are open as well."""
    workspace = lock_workspace(membership.workspace)
    target = _reread(membership)
    if role not in Role:
        raise InvalidInput("Choose one of the roles in the list.")
    if target.role == role:
        return target
    _require_power(workspace, actor, over={Role(target.role), role})
    if target.role == Role.OWNER:
        _keep_an_owner(target)
    old = target.role
    target.role = role
    target.save(update_fields=["role"])
    if not may(role, Action.MANAGE_MEMBERS):
        revoke_invitations_by(workspace=workspace, person=target.user, actor=actor)
    record(
        workspace=workspace.public_id,
        kind=Audit.MEMBER_ROLE_CHANGED,
        actor=actor.public_id,
        subject=target.public_id,
        email=target.user.email,
        old_role=old,
        role=role.value,
    )
    access_changed(workspace)
    announce(workspace=workspace.public_id, kind=Live.ACCESS_CHANGED, subject=target.user.public_id)
    return target


@transaction.atomic
def remove_member(*, membership: Membership, actor: User) -> None:
    """End a membership (one's own as well): keys and invitations made with it die, open pages close at once.

    Someone without any workspace left is signed out everywhere.
    """
    workspace = lock_workspace(membership.workspace)
    target = _reread(membership)
    person = target.user
    if person != actor:
        _require_power(workspace, actor, over={Role(target.role)})
    if target.role == Role.OWNER:
        _keep_an_owner(target)
    revoke_keys_of(workspace=workspace, owner=person, actor=actor)
    revoke_invitations_by(workspace=workspace, person=person, actor=actor)
    target_id = target.public_id
    target.delete()
    if not person.memberships.exists():
        end_sessions(person=person)
    record(
        workspace=workspace.public_id,
        kind=Audit.MEMBER_REMOVED,
        actor=actor.public_id,
        subject=target_id,
        email=person.email,
    )
    access_changed(workspace)
    announce(workspace=workspace.public_id, kind=Live.ACCESS_CHANGED, subject=person.public_id)


def lock_workspace(workspace: Workspace) -> Workspace:
    """Let one change of members at a time through: two owners removing each other must not both succeed.

    `no_key`, because rows that point at the workspace may be inserted meanwhile; waiting for those could deadlock.
    """
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def _reread(membership: Membership) -> Membership:
    row = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if row is None:
        raise NotFound("This person is not a member any more.")
    return row


def _require_power(workspace: Workspace, actor: User, *, over: set[Role]) -> None:
    """Read the actor's role anew under the lock: it may have changed since the page was opened."""
    own_role = Membership.objects.filter(workspace=workspace, user=actor).values_list("role", flat=True).first() or ""
    if not may(own_role, Action.MANAGE_MEMBERS):
        raise NotAllowed("Only owners and admins can change members.")
    if Role.OWNER in over and own_role != Role.OWNER:
        raise NotAllowed("Only an owner can make or unmake owners.")


def _keep_an_owner(target: Membership) -> None:
    others = Membership.objects.filter(workspace_id=target.workspace_id, role=Role.OWNER).exclude(pk=target.pk)
    if not others.exists():
        raise Conflict("A workspace keeps at least one owner. Make someone else an owner first.")
