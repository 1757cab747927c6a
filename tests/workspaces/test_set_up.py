"""S03: the first person comes by a one-time link, becomes the owner, and takes over what waits for one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import LinkPurpose, OneTimeLink, User
from apps.accounts.services import create_link
from apps.core.errors import InvalidInput, NotFound
from apps.events.services import verify_chain
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services import create_workspace, set_up_owner
from tests.conftest import PASSWORD, make_user

FORM = {"name": "Olga", "email": "olga@example.com", "password": PASSWORD, "workspace_name": "Support desk"}


@pytest.fixture
def token(db: None) -> str:
    return create_link(purpose=LinkPurpose.SET_UP)


def path(token: str) -> str:
    return f"/welcome/{token}/"


def test_opening_the_link_shows_a_form_and_uses_nothing_up(token: str) -> None:
    for _ in range(2):
        response = Client().get(path(token))
        assert response.status_code == 200
        assert response.headers["Cache-Control"].count("no-store") == 1
    assert not User.objects.exists()


def test_the_form_makes_the_owner_and_the_workspace_and_signs_in(token: str) -> None:
    client = Client()
    response = client.post(path(token), FORM)
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    owner, workspace = User.objects.get(), Workspace.objects.get()
    assert (owner.email, owner.name, workspace.name) == ("olga@example.com", "Olga", "Support desk")
    assert workspace.memberships.get().role == Role.OWNER
    assert client.get(f"/workspaces/{workspace.public_id}/members/").status_code == 200
    assert verify_chain(workspace.public_id).n_events == 3  # made, joined, signed in


def test_the_link_works_once(token: str) -> None:
    Client().post(path(token), FORM)
    for response in (Client().get(path(token)), Client().post(path(token), {**FORM, "email": "eve@example.com"})):
        assert response.status_code == 404
        assert "Run the command" in response.content.decode()
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["x", "0" * 43])
def test_a_wrong_link_is_not_there_and_says_what_to_do(wrong: str) -> None:
    response = Client().get(path(wrong))
    assert response.status_code == 404
    assert "Run the command" in response.content.decode()


def test_an_expired_link_is_not_there(token: str) -> None:
    OneTimeLink.objects.update(expires_at=timezone.now())
    assert Client().get(path(token)).status_code == 404
    assert Client().post(path(token), FORM).status_code == 404
    assert not User.objects.exists()


def test_a_second_link_dies_with_the_first_ones_use(token: str) -> None:
    other = create_link(purpose=LinkPurpose.SET_UP)
    Client().post(path(token), FORM)
    assert Client().get(path(other)).status_code == 404
    assert Client().post(path(other), {**FORM, "email": "eve@example.com"}).status_code == 404
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("email", "olga", "valid email"),
        ("email", "", "required"),
        ("name", " ", "required"),
        ("password", "short", "too short"),
        ("password", "olga@example.com", "similar"),
        ("workspace_name", "", "required"),
        ("name", "O\x00", "Null characters"),
    ],
)
def test_a_form_with_a_mistake_says_so_and_keeps_the_link(token: str, field: str, value: str, said: str) -> None:
    response = Client().post(path(token), {**FORM, field: value})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not User.objects.exists()
    assert Client().post(path(token), FORM).status_code == 302


def test_the_password_is_never_sent_back(token: str) -> None:
    assert PASSWORD not in Client().post(path(token), {**FORM, "email": "olga"}).content.decode()


def test_what_waits_for_an_owner_is_adopted_and_renamed(token: str) -> None:
    demo = create_workspace(name="Demo", owner=None)
    imported = create_workspace(name="Imported", owner=None)
    assert 'value="Demo"' in Client().get(path(token)).content.decode()
    Client().post(path(token), FORM)
    owner = User.objects.get()
    demo.refresh_from_db()
    assert demo.name == "Support desk"
    assert {m.workspace for m in owner.memberships.all()} == {demo, imported}
    assert Workspace.objects.count() == 2


def test_a_workspace_that_has_an_owner_is_not_taken_over(db: None) -> None:
    theirs = Workspace.objects.create(name="Theirs")
    theirs.memberships.create(user=make_user("first@example.com", "First"), role=Role.OWNER)
    token = create_link(purpose=LinkPurpose.SET_UP)
    with pytest.raises(NotFound, match="owner already"):
        set_up_owner(token=token, email="e@example.com", name="E", password=PASSWORD, workspace_name="W")
    assert theirs.memberships.count() == 1


def test_a_mistake_found_by_the_service_does_not_use_the_link_up(token: str) -> None:
    with pytest.raises(InvalidInput):
        set_up_owner(token=token, email="o@example.com", name="O", password=PASSWORD, workspace_name=" ")
    assert not User.objects.exists()
    assert set_up_owner(token=token, email="o@example.com", name="O", password=PASSWORD, workspace_name="W")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_attempt", range(3))
def test_of_two_links_used_at_once_one_makes_an_owner(_attempt: int) -> None:
    tokens = [create_link(purpose=LinkPurpose.SET_UP) for _ in range(2)]
    start = threading.Barrier(2)

    def use(number: int) -> bool:
        start.wait(10)
        try:
            set_up_owner(
                token=tokens[number], email=f"p{number}@example.com", name="P", password=PASSWORD, workspace_name="W"
            )
        except NotFound:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, range(2))) == [False, True]
    assert User.objects.count() == 1
