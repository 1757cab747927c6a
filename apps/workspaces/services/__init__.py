"""Every write about workspaces, who belongs to them, and their keys."""

from apps.workspaces.services.authentication import authenticate, exchange
from apps.workspaces.services.invitations import accept_invitation, find_invitation, invite_member, revoke_invitation
from apps.workspaces.services.keys import create_key, revoke_key, rotate_key
from apps.workspaces.services.members import change_role, remove_member
from apps.workspaces.services.people import announce_access_change, record_sign_in
from apps.workspaces.services.tokens import end_of_token
from apps.workspaces.services.watching import when_keys_change
from apps.workspaces.services.workspaces import create_another_workspace, create_workspace, set_up_owner

__all__ = [
    "accept_invitation",
    "announce_access_change",
    "authenticate",
    "change_role",
    "create_another_workspace",
    "create_key",
    "create_workspace",
    "end_of_token",
    "exchange",
    "find_invitation",
    "invite_member",
    "record_sign_in",
    "remove_member",
    "revoke_invitation",
    "revoke_key",
    "rotate_key",
    "set_up_owner",
    "when_keys_change",
]
