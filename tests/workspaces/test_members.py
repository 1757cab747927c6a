"""S13, S14 and S16: changing roles, removing, and the owner a workspace always keeps."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import Conflict, NotAllowed, NotFound
from apps.events.models import Event
from apps.workspaces.models import Invitation, Membership, Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services import change_role, invite_member, remove_member
from tests.conftest import client_of
from tests.workspaces.conftest import Join, membership_of


def role_of(user: User, workspace: Workspace) -> str | None:
    return Membership.objects.filter(user=user, workspace=workspace).values_list("role", flat=True).first()


def test_an_owner_gives_any_role(workspace: Workspace, owner: User, member: User) -> None:
    for role in Role:
        change_role(membership=membership_of(member, workspace), role=role, actor=owner)
        assert role_of(member, workspace) == role


def test_a_change_is_on_record_and_no_change_is_not(workspace: Workspace, owner: User, member: User) -> None:
    change_role(membership=membership_of(member, workspace), role=Role.VIEWER, actor=owner)
    change_role(membership=membership_of(member, workspace), role=Role.VIEWER, actor=owner)
    event = Event.objects.get(kind="member.role_changed")
    assert event.actor == owner.public_id
    assert event.data == {"email": member.email, "old_role": "labeler", "role": "viewer"}


def test_s14_an_admin_cannot_make_an_owner(workspace: Workspace, member: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(member, workspace), role=Role.OWNER, actor=admin)
    assert role_of(member, workspace) == Role.LABELER


def test_s14_an_admin_cannot_unmake_or_remove_an_owner(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    join(Role.OWNER, "second")
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(owner, workspace), role=Role.VIEWER, actor=admin)
    with pytest.raises(NotAllowed):
        remove_member(membership=membership_of(owner, workspace), actor=admin)
    assert role_of(owner, workspace) == Role.OWNER


def test_s16_nobody_promotes_themself(workspace: Workspace, owner: User, join: Join) -> None:
    for role in (Role.ADMIN, Role.REVIEWER, Role.LABELER, Role.VIEWER):
        person = join(role)
        with pytest.raises(NotAllowed):
            change_role(membership=membership_of(person, workspace), role=Role.OWNER, actor=person)
        assert role_of(person, workspace) == role


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LABELER, Role.VIEWER])
def test_s14_lower_roles_change_and_remove_nobody(workspace: Workspace, member: User, join: Join, role: Role) -> None:
    person = join(role, "somebody")
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(member, workspace), role=Role.VIEWER, actor=person)
    with pytest.raises(NotAllowed):
        remove_member(membership=membership_of(member, workspace), actor=person)


def test_s14_an_owner_of_another_workspace_has_no_power_here(
    workspace: Workspace, member: User, outsider: User
) -> None:
    with pytest.raises(NotAllowed):
        change_role(membership=membership_of(member, workspace), role=Role.ADMIN, actor=outsider)
    with pytest.raises(NotAllowed):
        remove_member(membership=membership_of(member, workspace), actor=outsider)


def test_s16_the_last_owner_stays_an_owner(workspace: Workspace, owner: User, member: User) -> None:
    membership = membership_of(owner, workspace)
    with pytest.raises(Conflict, match="at least one owner"):
        change_role(membership=membership, role=Role.ADMIN, actor=owner)
    with pytest.raises(Conflict, match="at least one owner"):
        remove_member(membership=membership, actor=owner)
    change_role(membership=membership_of(member, workspace), role=Role.OWNER, actor=owner)
    remove_member(membership=membership, actor=owner)
    assert role_of(owner, workspace) is None


def test_anyone_may_leave(workspace: Workspace, owner: User, member: User) -> None:
    remove_member(membership=membership_of(member, workspace), actor=member)
    assert role_of(member, workspace) is None


def test_removing_someone_twice_says_that_they_are_gone(workspace: Workspace, owner: User, member: User) -> None:
    membership = membership_of(member, workspace)
    remove_member(membership=membership, actor=owner)
    with pytest.raises(NotFound):
        remove_member(membership=membership, actor=owner)


def test_s16_invitations_that_a_removed_admin_made_stop_working(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    invite_member(workspace=workspace, email="friend@example.com", role=Role.ADMIN, actor=admin)
    remove_member(membership=membership_of(admin, workspace), actor=owner)
    assert not Invitation.objects.open().exists()


def test_s16_so_do_those_of_an_admin_who_is_one_no_longer(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    invite_member(workspace=workspace, email="friend@example.com", role=Role.ADMIN, actor=admin)
    change_role(membership=membership_of(admin, workspace), role=Role.REVIEWER, actor=owner)
    assert not Invitation.objects.open().exists()


def test_a_removed_persons_next_click_meets_nothing(
    workspace: Workspace, owner: User, member: User, member_client: Client
) -> None:
    page = f"/workspaces/{workspace.public_id}/members/"
    assert member_client.get(page).status_code == 200
    Workspace.objects.create(name="Another").memberships.create(user=member, role=Role.OWNER)
    remove_member(membership=membership_of(member, workspace), actor=owner)
    assert member_client.get(page).status_code == 404


def test_someone_without_any_workspace_left_is_signed_out_everywhere(
    workspace: Workspace, owner: User, member: User, member_client: Client
) -> None:
    remove_member(membership=membership_of(member, workspace), actor=owner)
    response = member_client.get("/profile/")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/sign-in/")


def test_removal_tells_open_pages_and_the_record(
    workspace: Workspace, owner: User, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr("apps.workspaces.services.members.announce", lambda **what: told.append(what))
    remove_member(membership=membership_of(member, workspace), actor=owner)
    assert told == [{"workspace": workspace.public_id, "kind": "access", "subject": member.public_id}]
    assert Event.objects.get(kind="member.removed").data == {"email": member.email}


def at_the_same_time(*acts: Callable[[], None]) -> list[Exception]:
    """Run each in a thread of its own, begun together; return what they raised."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> Exception | None:
        start.wait(10)
        try:
            act()
        except (Conflict, NotAllowed, NotFound) as error:
            return error
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return [error for error in pool.map(run, acts) if error]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(5))
def test_s16_two_owners_who_remove_each_other_do_not_leave_the_workspace_to_nobody(
    workspace: Workspace, owner: User, join: Join, _attempt: int
) -> None:
    second = join(Role.OWNER, "second")
    a, b = membership_of(owner, workspace), membership_of(second, workspace)
    errors = at_the_same_time(
        lambda: remove_member(membership=a, actor=second),
        lambda: remove_member(membership=b, actor=owner),
    )
    assert len(errors) == 1
    assert workspace.memberships.filter(role=Role.OWNER).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(5))
def test_s16_two_owners_who_step_down_at_once_leave_one(
    workspace: Workspace, owner: User, join: Join, _attempt: int
) -> None:
    second = join(Role.OWNER, "second")
    a, b = membership_of(owner, workspace), membership_of(second, workspace)
    errors = at_the_same_time(
        lambda: change_role_quietly(a, owner),
        lambda: change_role_quietly(b, second),
    )
    assert [type(error) for error in errors] == [Conflict]
    assert workspace.memberships.filter(role=Role.OWNER).count() == 1


def change_role_quietly(membership: Membership, actor: User) -> None:
    change_role(membership=membership, role=Role.ADMIN, actor=actor)


def test_s13_nobody_else_can_change_a_persons_name_or_password(owner: User, member: User) -> None:
    """The profile has no id in its address or its fields: it is always one's own."""
    client = client_of(member)
    foreign = {"user": owner.public_id, "id": owner.pk, "public_id": owner.public_id, "email": "taken@example.com"}
    client.post("/profile/", {"name": "Changed", **foreign})
    owner.refresh_from_db()
    member.refresh_from_db()
    assert (owner.name, member.name) == ("Olga Owner", "Changed")
    assert (owner.email, member.email) == ("olga@example.com", "mika@example.com")


def test_s13_role_and_workspace_are_not_writable_on_the_profile(workspace: Workspace, member: User) -> None:
    client_of(member).post("/profile/", {"name": "Mika", "role": "owner", "workspace": "workspace_x", "is_active": ""})
    assert role_of(member, workspace) == Role.LABELER
    member.refresh_from_db()
    assert member.is_active
