"""What the pages about workspaces show."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import ApiKey, Invitation, Membership, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.scopes import Scope, scopes_of
from apps.workspaces.services.key_texts import overlaps
from apps.workspaces.services.workspaces import ownerless_workspaces


@dataclass(frozen=True)
class MemberRow:
    """A member as the reader of the page may treat them; no roles to give means that they cannot."""

    membership: Membership
    is_reader: bool
    roles: list[Role]

    @property
    def can_be_removed(self) -> bool:
        return bool(self.roles) and not self.is_reader


@dataclass(frozen=True)
class KeyRow:
    """A key as the list shows it; `function` is the name of the one it is for, if it is for one."""

    key: ApiKey
    scopes: list[Scope]
    function: str
    is_readers: bool

    @property
    def old_secret_until(self) -> datetime | None:
        """Until when the secret before the newest works as well; None when it does not."""
        return self.key.old_until if self.key.is_usable and overlaps(self.key) else None


def name_for_first_workspace() -> str:
    """Return the name of the workspace that waits for an owner, such as the demo's, or one to begin with."""
    return ownerless_workspaces().order_by("id").values_list("name", flat=True).first() or "My workspace"


def role_in(*, workspace: Workspace, person: User) -> Role:
    return Role(Membership.objects.get(workspace=workspace, user=person).role)


def people_who_may(workspace: Workspace, action: Action) -> list[int]:
    """Return the keys of the people whose role in the workspace includes this action."""
    roles = [role for role in Role if may(role, action)]
    return list(workspace.memberships.filter(role__in=roles).values_list("user", flat=True))


def roles_to_give(role: Role) -> list[Role]:
    """Return the roles that someone may give: admins cannot make owners."""
    if not may(role, Action.MANAGE_MEMBERS):
        return []
    return [given for given in Role if given != Role.OWNER or role == Role.OWNER]


def member_rows(*, workspace: Workspace, reader: User) -> list[MemberRow]:
    """Return everyone, oldest first, each with what the reader may make of them."""
    memberships = list(workspace.memberships.select_related("user").order_by("id"))
    reader_role = next(Role(m.role) for m in memberships if m.user_id == reader.pk)
    roles = roles_to_give(reader_role)
    return [
        MemberRow(m, is_reader=m.user_id == reader.pk, roles=roles if Role(m.role) in roles else [])
        for m in memberships
    ]


def open_invitations(workspace: Workspace) -> QuerySet[Invitation]:
    return workspace.invitations.open().select_related("invited_by").order_by("-id")


def key_rows(*, workspace: Workspace, reader: User) -> list[KeyRow]:
    """Return every key, working ones first, newest first."""
    keys = list(workspace.api_keys.select_related("owner").order_by("-id"))
    names = names_of_functions(workspace) if any(key.only_function for key in keys) else {}
    rows = [
        KeyRow(
            key,
            scopes_of(key.actions),
            function=names.get(key.only_function, key.only_function),
            is_readers=key.owner_id == reader.pk,
        )
        for key in keys
    ]
    return sorted(rows, key=lambda row: not row.key.is_usable)
