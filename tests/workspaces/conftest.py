"""More of the cast: one person per role, and someone who was a member once."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user

Join = Callable[..., User]


@pytest.fixture
def join(workspace: Workspace) -> Join:
    """Return a function that makes a member of the workspace, by role and name."""

    def make(role: Role, name: str = "") -> User:
        name = name or role.value
        user = make_user(f"{name}@example.com", name.title())
        workspace.memberships.create(user=user, role=role)
        return user

    return make


@pytest.fixture
def former_member(workspace: Workspace, owner: User) -> User:
    """Was an admin here until a moment ago, and has a workspace of their own."""
    from apps.workspaces.services import remove_member

    user = make_user("fritz@example.com", "Fritz Former")
    membership = workspace.memberships.create(user=user, role=Role.ADMIN)
    Workspace.objects.create(name="His own").memberships.create(user=user, role=Role.OWNER)
    remove_member(membership=membership, actor=owner)
    return user


@pytest.fixture
def former_client(former_member: User) -> Client:
    return client_of(former_member)


def membership_of(user: User, workspace: Workspace) -> Membership:
    return Membership.objects.get(user=user, workspace=workspace)
