"""Making another workspace and going from one to another."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services import create_workspace
from tests.conftest import client_of, make_user


def test_whoever_makes_one_owns_it_and_is_in_it(member: User, member_client: Client) -> None:
    assert member_client.post("/workspaces/new/", {"name": " Sales "}).status_code == 302
    workspace = Workspace.objects.get(name="Sales")
    assert workspace.memberships.get().user == member
    assert workspace.memberships.get().role == Role.OWNER
    assert member_client.session["workspace"] == workspace.public_id


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_is_needed(member_client: Client, owner: User, name: str) -> None:
    assert member_client.post("/workspaces/new/", {"name": name}).status_code == 422
    with pytest.raises(InvalidInput):
        create_workspace(name=name, owner=owner)


def test_someone_removed_everywhere_makes_none(db: None) -> None:
    nobody = make_user("nobody@example.com", "Nobody")
    assert client_of(nobody).post("/workspaces/new/", {"name": "Mine"}).status_code == 403
    assert not Workspace.objects.exists()


def test_switching_goes_where_one_belongs(owner: User, owner_client: Client) -> None:
    other = create_workspace(name="Other", owner=owner)
    assert owner_client.post("/workspaces/switch/", {"workspace": other.public_id}).status_code == 302
    assert owner_client.session["workspace"] == other.public_id


def test_s09_switching_to_a_foreign_or_missing_workspace_is_not_found(owner_client: Client, outsider: User) -> None:
    foreign = Membership.objects.get(user=outsider).workspace.public_id
    for target in (foreign, "workspace_0000000000000000", "", "'"):
        assert owner_client.post("/workspaces/switch/", {"workspace": target}).status_code == 404
    assert "workspace" not in owner_client.session
