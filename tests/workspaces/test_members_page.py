"""The page Members: what each role finds on it, and what its forms do."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.workspaces.models import Invitation, Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of
from tests.workspaces.conftest import Join, membership_of


@pytest.fixture
def page(workspace: Workspace) -> str:
    return f"/workspaces/{workspace.public_id}/members/"


def test_everyone_sees_who_belongs_here(page: str, owner: User, member_client: Client) -> None:
    text = member_client.get(page).content.decode()
    assert "olga@example.com" in text
    assert "mika@example.com" in text


def test_only_those_who_may_invite_find_forms(page: str, owner: User, member: User, owner_client: Client) -> None:
    assert "Invite someone" in owner_client.get(page).content.decode()
    text = client_of(member).get(page).content.decode()
    assert "Invite someone" not in text
    assert "/role/" not in text
    assert "/remove/" not in text
    assert "/leave/" in text


def test_an_admin_is_offered_no_power_over_owners(page: str, owner: User, join: Join, workspace: Workspace) -> None:
    text = client_of(join(Role.ADMIN)).get(page).content.decode()
    assert f"/members/{membership_of(owner, workspace).public_id}/remove/" not in text
    assert 'value="owner"' not in text


def test_the_role_form_changes_the_role(page: str, owner_client: Client, member: User, workspace: Workspace) -> None:
    membership = membership_of(member, workspace)
    response = owner_client.post(f"/members/{membership.public_id}/role/", {"role": "reviewer"}, follow=True)
    assert "Mika Member is reviewer now." in response.content.decode()
    assert membership_of(member, workspace).role == Role.REVIEWER


@pytest.mark.parametrize("role", ["", "god", "OWNER"])
def test_a_role_that_is_none_is_refused(owner_client: Client, member: User, workspace: Workspace, role: str) -> None:
    membership = membership_of(member, workspace)
    assert owner_client.post(f"/members/{membership.public_id}/role/", {"role": role}).status_code == 400
    assert membership_of(member, workspace).role == Role.LABELER


def test_the_last_owner_is_told_on_the_page(page: str, owner_client: Client, owner: User, workspace: Workspace) -> None:
    mine = membership_of(owner, workspace)
    for path, data in [(f"/members/{mine.public_id}/role/", {"role": "admin"}), (f"{page[:-8]}leave/", {})]:
        response = owner_client.post(path, data, follow=True)
        assert "keeps at least one owner" in response.content.decode()
    assert membership_of(owner, workspace).role == Role.OWNER


def test_removing_and_leaving(page: str, owner_client: Client, join: Join, workspace: Workspace) -> None:
    first, second = join(Role.VIEWER, "first"), join(Role.VIEWER, "second")
    owner_client.post(f"/members/{membership_of(first, workspace).public_id}/remove/")
    client_of(second).post(f"/workspaces/{workspace.public_id}/leave/")
    assert not workspace.memberships.filter(user__in=[first, second]).exists()


def test_a_mistaken_invitation_is_mended_in_place(page: str, owner_client: Client, member: User) -> None:
    for email in ("nora", member.email):
        response = owner_client.post(f"{page}invite/", {"email": email, "role": "viewer"})
        assert response.status_code == 422
        assert "data-open" in response.content.decode()
    assert not Invitation.objects.exists()


def test_s14_an_admin_cannot_smuggle_an_owner_into_the_form(page: str, join: Join) -> None:
    response = client_of(join(Role.ADMIN)).post(f"{page}invite/", {"email": "n@example.com", "role": "owner"})
    assert response.status_code == 422
    assert not Invitation.objects.exists()


def test_an_open_invitation_can_be_withdrawn(page: str, owner_client: Client) -> None:
    owner_client.post(f"{page}invite/", {"email": "nora@example.com", "role": "viewer"})
    invitation = Invitation.objects.get()
    response = owner_client.post(f"/invitations/{invitation.public_id}/revoke/", follow=True)
    assert "does not work any more" in response.content.decode()
    assert not Invitation.objects.open().exists()


def test_names_are_shown_as_text(page: str, owner_client: Client, member: User) -> None:
    member.name = "<script>alert(1)</script>"
    member.save()
    text = owner_client.get(page).content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
