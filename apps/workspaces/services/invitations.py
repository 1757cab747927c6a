"""Invitations: a link for one e-mail address and one role, that works once and for a week."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import create_person, hash_token, new_token
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import Invitation, InvitationQuerySet, Membership, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.services.keys import revoke_keys_of

INVITATION_LIFETIME = timedelta(days=7)


@transaction.atomic
def invite_member(*, workspace: Workspace, email: str, role: Role, actor: User) -> tuple[Invitation, str]:
    """Make an invitation and its token, which is shown once. An earlier one for the same address stops working."""
    email = _checked_email(email)
    own_role = Membership.objects.filter(workspace=workspace, user=actor).values_list("role", flat=True).first() or ""
    if not may(own_role, Action.MANAGE_MEMBERS):
        raise NotAllowed("Only owners and admins can invite people.")
    if role == Role.OWNER and own_role != Role.OWNER:
        raise NotAllowed("Only an owner can make or unmake owners.")
    if workspace.memberships.filter(user__email__iexact=email).exists():
        raise Conflict(f"{email} is a member already.")
    for earlier in workspace.invitations.open().filter(email=email):
        revoke_invitation(invitation=earlier, actor=actor)
    token = new_token()
    invitation = workspace.invitations.create(
        email=email,
        role=role,
        token_hash=hash_token(token),
        invited_by=actor,
        expires_at=timezone.now() + INVITATION_LIFETIME,
    )
    record(
        workspace=workspace.public_id,
        kind=Audit.MEMBER_INVITED,
        actor=actor.public_id,
        subject=invitation.public_id,
        email=email,
        role=role.value,
    )
    return invitation, token


def find_invitation(*, token: str) -> Invitation:
    """Return an invitation that still works. Raises NotFound for any other token."""
    invitation = _open_by_token(token).select_related("workspace", "invited_by").first()
    if invitation is None:
        raise _dead_invitation()
    return invitation


@transaction.atomic
def accept_invitation(*, token: str, person: User | None = None, name: str = "", password: str = "") -> Membership:
    """Use an invitation up: its address joins with its role, as `person` or with a new account.

    An existing account must sign in first: holding the link does not prove that one is that person.
    """
    invitation = find_invitation(token=token)
    if person is not None and person.email.lower() != invitation.email:
        raise _dead_invitation()
    if _open_by_token(token).update(used_at=timezone.now()) != 1:
        raise _dead_invitation()
    person = person or create_person(email=invitation.email, name=name, password=password)
    workspace = invitation.workspace
    if not workspace.memberships.filter(user=person).exists():
        # One made at the very moment its owner was removed would come to life again.
        revoke_keys_of(workspace=workspace, owner=person, actor=person)
    membership, is_new = workspace.memberships.get_or_create(user=person, defaults={"role": invitation.role})
    if is_new:
        record(
            workspace=workspace.public_id,
            kind=Audit.MEMBER_JOINED,
            actor=person.public_id,
            subject=membership.public_id,
            email=person.email,
            role=membership.role,
        )
    return membership


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: User) -> None:
    """Make an invitation stop working; nothing happens to one that has been used."""
    changed = Invitation.objects.open().filter(pk=invitation.pk).update(revoked_at=timezone.now())
    if changed:
        record(
            workspace=invitation.workspace.public_id,
            kind=Audit.INVITATION_REVOKED,
            actor=actor.public_id,
            subject=invitation.public_id,
            email=invitation.email,
        )


def revoke_invitations_by(*, workspace: Workspace, person: User, actor: User) -> None:
    """Revoke what a person handed out before losing the right to: it could be their own way back in."""
    for invitation in workspace.invitations.open().filter(invited_by=person).select_related("workspace"):
        revoke_invitation(invitation=invitation, actor=actor)


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput("Enter an e-mail address such as name@example.com.") from error
    return email


def _open_by_token(token: str) -> InvitationQuerySet:
    return Invitation.objects.open().filter(token_hash=hash_token(token))


def _dead_invitation() -> NotFound:
    return NotFound(
        "This invitation has been used or withdrawn, or is older than a week. Ask whoever invited you for another one."
    )
