"""Keys made by whoever runs the installation, with all they need: a workspace, and somebody it belongs to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services import create_person_without_password, operator
from apps.core.errors import Conflict, InvalidInput
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Role
from apps.workspaces.scopes import Scope, actions_of
from apps.workspaces.services.keys import create_key, rotate_key
from apps.workspaces.services.workspaces import add_owner, create_workspace


@dataclass(frozen=True)
class Wish:
    """What a key should be like. Client id and secret are empty where they are to be made."""

    name: str
    scopes: list[Scope]
    client_id: str = ""
    secret: str = ""
    only_function: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Provided:
    """A key, and its secret where that is new."""

    key: ApiKey
    secret: str = ""


@transaction.atomic
def provide_key(
    *, workspace_name: str, owner_email: str, wish: Wish, rotates: bool = False, overlap: timedelta = timedelta(0)
) -> Provided:
    """Make a key, and its workspace where there is none; one with that client id stays as it is unless told to rotate.

    Nothing is made unless all of it can be.
    """
    workspace = _workspace(workspace_name)
    there = ApiKey.objects.select_related("workspace", "owner").filter(client_id=wish.client_id).first()
    if wish.client_id and there is not None:
        return _kept(there, workspace, wish, rotates=rotates, overlap=overlap)
    membership = _owner(workspace, workspace_name, owner_email)
    key, secret = create_key(
        workspace=membership.workspace,
        owner=membership.user,
        name=wish.name,
        actions=actions_of(wish.scopes, role=Role(membership.role)),
        expires_at=wish.expires_at,
        only_function=wish.only_function,
        client_id=wish.client_id,
        secret=wish.secret,
    )
    return Provided(key, secret)


def _kept(key: ApiKey, workspace: Workspace | None, wish: Wish, *, rotates: bool, overlap: timedelta) -> Provided:
    if key.workspace != workspace:
        raise Conflict(f"The client id {key.client_id} is of a key in another workspace.")
    if not key.is_usable:
        raise Conflict(f"The key with the client id {key.client_id} was revoked or has expired. Choose another id.")
    if wish.secret and key.chosen_hash and check_password(wish.secret, key.chosen_hash):
        return Provided(key)
    if rotates:
        return Provided(key, rotate_key(key=key, actor=key.owner, overlap=overlap, secret=wish.secret))
    if wish.secret:
        raise Conflict(f"The key with the client id {key.client_id} has another secret. Add --rotate.")
    return Provided(key)


def _workspace(name: str) -> Workspace | None:
    found = list(Workspace.objects.filter(public_id=name) or Workspace.objects.filter(name=name.strip())[:2])
    if len(found) > 1:
        raise InvalidInput("There are several workspaces of this name. Give the id of one, as its address shows it.")
    return found[0] if found else None


def _owner(workspace: Workspace | None, name: str, email: str) -> Membership:
    """Return whose key it will be: the one named, else whoever has owned the workspace, or any at all, for longest."""
    members = Membership.objects.select_related("user", "workspace").filter(workspace=workspace, user__is_active=True)
    owners = members.filter(role=Role.OWNER).order_by("id")
    oldest = owners.first() if workspace else None
    if oldest is not None and not email:
        return oldest
    if workspace is not None and oldest is not None:
        member = members.filter(user__email__iexact=email.strip()).first()
        if member is None:
            raise InvalidInput(f"{email} is not in the workspace “{workspace.name}”. Invite them first.")
        return member
    person = _person(email)
    if workspace is None:
        workspace = create_workspace(name=name, owner=person)
    else:
        add_owner(workspace, person)
    return Membership.objects.select_related("user", "workspace").get(workspace=workspace, user=person)


def _person(email: str) -> User:
    """Return who is named, made where there is no such person; else the oldest owner; else the operator."""
    if email:
        person = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
        return person or create_person_without_password(email=email)
    owner = (
        Membership.objects.filter(role=Role.OWNER, user__is_active=True).order_by("id").select_related("user").first()
    )
    return owner.user if owner else operator()
