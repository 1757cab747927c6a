"""S04: an invitation is for one address and one role, works once and for a week; nothing else lets newcomers in."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn
from apps.events.models import Event
from apps.workspaces.models import Invitation, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import (
    accept_invitation,
    authenticate,
    create_key,
    exchange,
    find_invitation,
    invite_member,
    revoke_invitation,
)
from tests.conftest import PASSWORD, client_of, make_user
from tests.workspaces.conftest import Join

NEW = {"name": "Nora", "password": PASSWORD}


@pytest.fixture
def token(workspace: Workspace, owner: User) -> str:
    return invite_member(workspace=workspace, email="Nora@Example.com", role=Role.REVIEWER, actor=owner)[1]


def path(token: str) -> str:
    return f"/invite/{token}/"


def test_a_new_person_joins_with_the_invitations_address_and_role(token: str, workspace: Workspace) -> None:
    client = Client()
    assert "nora@example.com" in client.get(path(token)).content.decode()
    response = client.post(path(token), {**NEW, "email": "other@example.com", "role": "owner"})
    assert response.status_code == 302
    person = User.objects.get(name="Nora")
    assert person.email == "nora@example.com"
    assert workspace.memberships.get(user=person).role == Role.REVIEWER
    assert client.get(f"/workspaces/{workspace.public_id}/members/").status_code == 200


def test_s04_it_works_once(token: str) -> None:
    Client().post(path(token), NEW)
    for response in (Client().get(path(token)), Client().post(path(token), {**NEW, "name": "Eve"})):
        assert response.status_code == 404
        assert "Ask whoever invited you" in response.content.decode()
    assert not User.objects.filter(name="Eve").exists()


@pytest.mark.django_db
def test_s04_a_wrong_token_is_not_there() -> None:
    assert Client().get(path("x" * 43)).status_code == 404
    assert Client().post(path("x" * 43), NEW).status_code == 404


def test_s04_it_works_for_a_week(token: str) -> None:
    left = Invitation.objects.get().expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    Invitation.objects.update(expires_at=timezone.now())
    assert Client().get(path(token)).status_code == 404
    assert Client().post(path(token), NEW).status_code == 404


def test_a_withdrawn_one_does_not_work(token: str, owner: User) -> None:
    revoke_invitation(invitation=Invitation.objects.get(), actor=owner)
    assert Client().post(path(token), NEW).status_code == 404
    assert Event.objects.filter(kind="invitation.revoked").count() == 1


def test_withdrawing_one_that_was_used_does_nothing(token: str, owner: User) -> None:
    Client().post(path(token), NEW)
    revoke_invitation(invitation=Invitation.objects.get(), actor=owner)
    assert Invitation.objects.get().revoked_at is None
    assert not Event.objects.filter(kind="invitation.revoked").exists()


def test_a_second_invitation_for_the_address_replaces_the_first(token: str, workspace: Workspace, owner: User) -> None:
    second = invite_member(workspace=workspace, email="nora@example.com", role=Role.VIEWER, actor=owner)[1]
    with pytest.raises(NotFound):
        find_invitation(token=token)
    assert find_invitation(token=second).role == Role.VIEWER


def test_someone_with_an_account_has_to_sign_in_with_it(token: str, workspace: Workspace) -> None:
    """The link alone must not open an account that is there: whoever forwarded it would be in."""
    nora = make_user("nora@example.com", "Nora")
    client = Client()
    page = client.post(path(token), {"name": "Eve", "password": "another long password"})
    assert "_auth_user_id" not in client.session
    assert f"/sign-in/?next=/invite/{token}/" in page.content.decode()
    nora.refresh_from_db()
    assert nora.check_password(PASSWORD)
    client = client_of(nora)
    assert client.get(path(token)).status_code == 200
    assert not workspace.memberships.filter(user=nora).exists()
    assert client.post(path(token)).status_code == 302
    assert workspace.memberships.get(user=nora).role == Role.REVIEWER


def test_s04_it_is_of_no_use_to_another_signed_in_person(token: str, outsider: User, workspace: Workspace) -> None:
    client = client_of(outsider)
    for response in (client.get(path(token)), client.post(path(token))):
        assert response.status_code == 409
        assert "sam@example.net" in response.content.decode()
    assert not workspace.memberships.filter(user=outsider).exists()
    with pytest.raises(NotFound):
        accept_invitation(token=token, person=outsider)
    assert find_invitation(token=token)


def test_an_invitation_does_not_change_the_role_of_a_member(token: str, workspace: Workspace) -> None:
    nora = make_user("nora@example.com", "Nora")
    workspace.memberships.create(user=nora, role=Role.VIEWER)
    accept_invitation(token=token, person=nora)
    assert workspace.memberships.get(user=nora).role == Role.VIEWER


def test_a_weak_password_is_refused_and_the_invitation_kept(token: str) -> None:
    response = Client().post(path(token), {"name": "Nora", "password": "password"})
    assert response.status_code == 422
    assert find_invitation(token=token)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LABELER, Role.VIEWER])
def test_s14_lower_roles_invite_nobody(workspace: Workspace, join: Join, role: Role) -> None:
    with pytest.raises(NotAllowed):
        invite_member(workspace=workspace, email="n@example.com", role=Role.VIEWER, actor=join(role))


def test_s14_an_admin_invites_anyone_but_an_owner(workspace: Workspace, join: Join) -> None:
    admin = join(Role.ADMIN)
    invite_member(workspace=workspace, email="n@example.com", role=Role.ADMIN, actor=admin)
    with pytest.raises(NotAllowed):
        invite_member(workspace=workspace, email="n@example.com", role=Role.OWNER, actor=admin)


def test_members_are_not_invited_again(workspace: Workspace, owner: User, member: User) -> None:
    with pytest.raises(Conflict):
        invite_member(workspace=workspace, email=member.email.upper(), role=Role.VIEWER, actor=owner)


@pytest.mark.parametrize("email", ["", "nora", "nora@example.com\nBcc: x@example.com"])
def test_an_address_has_to_be_one(workspace: Workspace, owner: User, email: str) -> None:
    with pytest.raises(InvalidInput):
        invite_member(workspace=workspace, email=email, role=Role.VIEWER, actor=owner)


def test_the_token_is_stored_nowhere(token: str) -> None:
    rows = [*Invitation.objects.values(), *Event.objects.values()]
    assert not any(token in str(value) for row in rows for value in row.values())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(3))
def test_s04_of_many_who_use_it_at_once_one_joins(token: str, workspace: Workspace, _attempt: int) -> None:
    start = threading.Barrier(3)

    def accept(_number: int) -> bool:
        start.wait(10)
        try:
            accept_invitation(token=token, name="Nora", password=PASSWORD)
        except (NotFound, Conflict):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(accept, range(3))) == 1
    assert workspace.memberships.count() == 2
    assert User.objects.filter(email="nora@example.com").count() == 1


def test_the_page_shows_the_link_once(owner_client: Client, workspace: Workspace) -> None:
    base = f"/workspaces/{workspace.public_id}/members/"
    response = owner_client.post(f"{base}invite/", {"email": "nora@example.com", "role": "viewer"})
    match = re.search(r"http://testserver(/invite/[\w-]+/)", response.content.decode())
    assert match is not None
    assert "no-store" in response.headers["Cache-Control"]
    assert Client().get(match[1]).status_code == 200
    page = owner_client.get(base).content.decode()
    assert "nora@example.com" in page
    assert match[1] not in page


def test_s16_no_key_of_before_comes_back_with_its_owner(workspace: Workspace, owner: User, member: User) -> None:
    """Also one that was made at the very moment when its owner was removed, which the removal could not see."""
    membership = workspace.memberships.get(user=member)
    workspace.memberships.filter(pk=membership.pk).update(role=Role.ADMIN)
    key, text = create_key(workspace=workspace, owner=member, name="Left behind", actions=[Action.VIEW])
    token = exchange(client_id=key.client_id, secret=text).text
    membership.delete()
    again = invite_member(workspace=workspace, email=member.email, role=Role.ADMIN, actor=owner)[1]
    accept_invitation(token=again, person=member)
    for bearer in (text, token):
        with pytest.raises(NotSignedIn):
            authenticate(bearer)
    assert workspace.api_keys.get(pk=key.pk).revoked_at is not None
